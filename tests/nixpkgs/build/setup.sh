# shellcheck shell=bash disable=SC2154,SC1090,SC1091 # Nix sets and sources what is known later
# What a build script finds: the hooks of its build inputs, and nixpkgs' `substitute`.

substitute() {
  local from=$1 to=$2 text
  shift 2
  text=$(<"$from")
  while (($#)); do
    [[ $1 == --replace-fail ]] || { echo "substitute: unknown option $1" && exit 1; }
    [[ $text == *"$2"* ]] || { echo "substitute: no $2 in $from" && exit 1; }
    text=${text//"$2"/"$3"}
    shift 3
  done
  printf '%s\n' "$text" >"$to"
}

for input in $nativeBuildInputs; do
  if [[ -f $input/nix-support/setup-hook ]]; then source "$input/nix-support/setup-hook"; fi
done

source "$scriptPath"
