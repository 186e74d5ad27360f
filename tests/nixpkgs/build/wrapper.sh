# shellcheck shell=bash disable=SC2016 # the wrapper expands it
# makeWrapper and wrapProgram, with the options that are used here.

# makeWrapper PROGRAM WRAPPER OPTION…
makeWrapper() {
  local program=$1 wrapper=$2 arguments=
  [[ -x $program ]] || { echo "makeWrapper: $program is no program" && exit 1; }
  shift 2
  {
    echo '#!@bash@ -e'
    while (($#)); do
      case $1 in
        --prefix) printf "export %s='%s'\${%s:+'%s'}\$%s\n" "$2" "$4" "$2" "$3" "$2" && shift 4 ;;
        --suffix) printf "export %s=\$%s\${%s:+'%s'}'%s'\n" "$2" "$2" "$2" "$3" "$4" && shift 4 ;;
        --add-flags) arguments+=" $2" && shift 2 ;;
        *) echo "makeWrapper: unknown option $1" >&2 && exit 1 ;;
      esac
    done
    printf 'exec -a "$0" %s%s "$@"\n' "$program" "$arguments"
  } >"$wrapper"
  chmod 755 "$wrapper"
}

# wrapProgram PROGRAM OPTION…: in its own place.
wrapProgram() {
  local hidden=${1%/*}/.${1##*/}-wrapped
  mv "$1" "$hidden"
  makeWrapper "$hidden" "$@"
}
