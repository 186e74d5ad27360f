#!/bin/sh
# nixery-prepare-image: all that Nixery asks of Nix, one Nix command a call.
#
#   nixery-prepare-image evaluate [NIX OPTION...]   request JSON on stdin (see packages.nix)
#   nixery-prepare-image realise ROOT DRV!OUT,OUT...
#   nixery-prepare-image closure PATH...
#   nixery-prepare-image check                      0 if Nix can be used
#
# `evaluate` and `closure` print JSON, `realise` the paths it made, which it keeps from the garbage
# collector with links at ROOT, ROOT-2 and so on. What Nix says goes to stderr in its internal-json
# format, and its exit status is passed on; 2 is wrong use. Builders may take NIX_TIMEOUT seconds.
#
# Evaluation can read only these expressions, and nothing may be built for it. Further options
# widen that, for example: -I source=/srv/nixpkgs --option allowed-uris https://example.org/
#
# It goes without experimental features, because flakes know nothing of restricted evaluation: one
# in the package set takes any file and address as its input.
set -eu

expressions=${NIXERY_EXPRESSIONS:-@expressions@}

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

# Store paths only: Nix would read others as options, files or addresses of flakes.
store_paths() {
    [ $# -ge 1 ] || usage
    for path; do
        case $path in
        /nix/store/*) ;;
        *) usage ;;
        esac
    done
}

[ $# -ge 1 ] || usage
step=$1
shift

# What the operator's own channels hold is not the image's business.
export NIX_PATH=

case $step in
evaluate)
    request=$(cat)
    # Derivations are written at once, so that realising needs no second evaluation.
    exec nix-instantiate --eval --strict --json --read-write-mode --log-format internal-json \
        --timeout "${NIX_TIMEOUT:-60}" \
        --option restrict-eval true --option allow-import-from-derivation false \
        --option experimental-features "" \
        -I "nixery=$expressions" "$@" "$expressions/packages.nix" --argstr request "$request"
    ;;
realise)
    [ $# -ge 1 ] || usage
    root=$1
    shift
    store_paths "$@"
    exec nix-store --realise --add-root "$root" \
        --timeout "${NIX_TIMEOUT:-60}" --log-format internal-json -- "$@"
    ;;
closure)
    store_paths "$@"
    exec nix --extra-experimental-features nix-command path-info --json --recursive \
        --log-format internal-json -- "$@"
    ;;
check)
    # Whether a path is valid, only the store can say, or the daemon where there is one.
    exec nix-store --check-validity --print-invalid --log-format internal-json \
        /nix/store/00000000000000000000000000000000-none
    ;;
*)
    usage
    ;;
esac
