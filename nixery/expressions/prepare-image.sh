#!/bin/sh
# nixery-prepare-image: everything that Nixery does with Nix, one Nix command per call.
#
#   nixery-prepare-image evaluate [NIX OPTION...]   request JSON on stdin (see packages.nix)
#   nixery-prepare-image realise ROOT DRV!OUT,OUT...
#   nixery-prepare-image closure PATH...
#   nixery-prepare-image check                      0 if Nix can be used
#
# `evaluate` and `closure` print JSON. `realise` prints the realised paths, and roots them with links at
# ROOT, ROOT-2 and so on. Nix's messages go to stderr in its internal-json format, and the exit status is
# that of Nix; 2 means wrong usage. Each builder may take NIX_TIMEOUT seconds.
#
# Evaluation can read only these expressions, and cannot build. Further options allow more, for example:
# -I source=/srv/nixpkgs --option allowed-uris https://example.org/
#
# Experimental features are off, because flakes ignore restricted evaluation: one in the package set could
# use any file and address as its input.
set -eu

expressions=${NIXERY_EXPRESSIONS:-@expressions@}

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

# Store paths only: Nix would treat others as options, files or flake references.
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

# The operator's own channels must not affect images.
export NIX_PATH=

case $step in
evaluate)
    request=$(cat)
    # Writes derivations, so that realising needs no second evaluation.
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
    # Only the store, or its daemon, knows whether a path is valid.
    exec nix-store --check-validity --print-invalid --log-format internal-json \
        /nix/store/00000000000000000000000000000000-none
    ;;
*)
    usage
    ;;
esac
