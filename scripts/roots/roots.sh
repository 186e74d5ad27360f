# shellcheck shell=bash
# Small Debian systems in directories, for scripts/fresh and scripts/with-nix. Source it after lib.sh.
#
#   make_root SUITE TARGET PACKAGE…   a minimal system as a directory, or a tarball (*.tar)
#   recipe_key WORD…                  what a cached root is kept under
#   cached_root NAME MAKER            its directory; MAKER DIRECTORY is run where it is not there
#   in_namespace CLEANER COMMAND…     in a mount and a PID namespace of its own; CLEANER runs last
#
# apt provides the addresses of packages.

need_roots() {
  ((EUID == 0)) || die "only root can make and enter another system"
  need mmdebstrap=mmdebstrap unshare=util-linux
}

# Another recipe (these words, or another make_root) is another root. Time is not part of
# it: a root that is a few weeks old is as good, and the cache may be deleted when it is not.
recipe_key() {
  { printf '%s\n' "$@"; declare -f make_root; } | sha256sum | cut -c 1-16
}

# One of several that ask at the same time makes it; the others wait.
cached_root() {
  local root=$CACHE/roots/$1 maker=$2 turn
  mkdir -p "${root%/*}"
  exec {turn}>"$root.lock"
  flock "$turn"
  [[ -d $root ]] || "$maker" "$root" >&2
  exec {turn}>&-
  printf '%s\n' "$root"
}

make_root() {
  local suite=$1 target=$2 log
  shift 2
  local partial=${target%/*}/partial-${target##*/}
  log=$(mktemp)
  mkdir -p "${target%/*}"
  rm -rf --one-file-system "$partial"
  say "making a minimal Debian $suite with mmdebstrap (takes a minute or two)"
  # Valid-until: where the mirror is a snapshot, the moving suites look expired.
  if ! mmdebstrap --quiet --mode=root --variant=minbase --include="$(IFS=,; echo "$*")" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    "$suite" "$partial" < <(apt_sources "$suite") >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "mmdebstrap fails for $suite, see above: the Debian mirror may be the reason"
  fi
  mv -T "$partial" "$target"
  rm "$log"
}

# The mirror that this machine's apt uses, with another suite.
apt_sources() {
  local uri codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  uri=$(apt-get indextargets --format "\$(REPO_URI) \$(CODENAME)" 'Created-By: Packages' |
    awk -v codename="$codename" '$2 == codename { print $1; exit }')
  [[ -n $uri ]] || die "apt names no mirror for Debian $codename"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$uri" "$1"
}

# Gives the command's status. Whatever ends this script, by signal too, ends everything in the
# namespace first and then runs the cleaner.
in_namespace() {
  cleaner=$1
  local status=0
  shift
  # With a trap, bash first lets a command in the foreground end; without, that would be orphaned.
  trap 'exit 143' HUP INT TERM
  trap end_namespace EXIT
  unshare --mount --pid --fork --kill-child --mount-proc --propagation=private "$@" <&0 &
  namespace=$!
  wait "$namespace" || status=$?
  exit "$status"
}

# The namespace's first process is killed, and not unshare: unshare waits until all are gone.
end_namespace() {
  local first
  read -r first 2>/dev/null <"/proc/$namespace/task/$namespace/children" || first=$namespace
  kill -KILL "$first" 2>/dev/null || true
  wait "$namespace" 2>/dev/null || true
  "$cleaner"
}
