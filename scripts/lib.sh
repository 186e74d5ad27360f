# shellcheck shell=bash
# Functions of the scripts. Source it:  source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
#   say, die, misuse, show_help   messages for the user
#   need COMMAND=PACKAGE…         installs Debian packages whose command is missing
#   use_venv runtime|test|oldest  .venv from the hash-locked requirements
#   use_private_nix_conf          scripts/nix/nix.conf if the machine has no configuration
#
# If there is nothing to do, each must be fast, so that scripts/run starts in seconds.

set -euo pipefail

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
VENV=$ROOT/.venv
# Cache of tests and benchmarks; may be deleted at any time.
# shellcheck disable=SC2034 # for the scripts that source this file
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nixery-tests

say() { printf '==> %s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

misuse() {
  printf '%s: %s\nSee: scripts/%s --help\n' "${0##*/}" "$*" "${0##*/}" >&2
  exit 2
}

# Prints the comment at the start of the calling script, which is its help text.
show_help() {
  sed -n '2,/^$/{s/^# \{0,1\}//;p}' "$0"
  exit 0
}

# --- Debian packages -------------------------------------------------------------------------

# need COMMAND=PACKAGE[,PACKAGE]…: a command says more than a package: it may come from anywhere,
# and asking bash for it starts no process. sbin is looked at too: an ordinary user's PATH lacks it.
# All in one call, because each call of apt costs seconds.
need() {
  local pair packages missing=()
  for pair; do
    if ! PATH=$PATH:/usr/sbin:/sbin type -P "${pair%%=*}" >/dev/null; then
      IFS=, read -ra packages <<<"${pair#*=}"
      missing+=("${packages[@]}")
    fi
  done
  if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
}

install_packages() {
  type -P apt-get >/dev/null ||
    die "missing here: $*. These are the names of Debian packages; install the equivalents of this system."
  ((EUID == 0)) ||
    die "missing here: $*. Install them as root: apt-get install --no-install-recommends $*"
  say "installing with apt: $*"
  APT_LOG=$(mktemp)
  # The index may be absent (a fresh machine) or stale (its packages gone from the mirror).
  # In both cases an update mends it; where it is good, the update would only cost time.
  apt_index_exists && apt_install "$@" && return
  apt_get update -o APT::Update::Error-Mode=any || mirror_fails
  apt_install "$@" || mirror_fails
}

# What comes with a daemon (docker, nginx, sshd) is there to be called: Debian would start it, but
# asks this file first.
START_POLICY=/usr/sbin/policy-rc.d
apt_install() (
  if [[ ! -e $START_POLICY ]]; then
    trap 'rm -f "$START_POLICY"' EXIT
    install -m 755 /dev/stdin "$START_POLICY" <<<$'#!/bin/sh\nexit 101'
  fi
  apt_get install --yes --no-install-recommends "$@"
)

apt_index_exists() { compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; }

# apt-get, quiet unless it fails, patient with the mirror and with another apt that is running.
apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null >"$APT_LOG" 2>&1
}

# Reports the cause of a failure. apt has one exit status for everything, so its messages decide.
mirror_fails() {
  local words
  words=$(grep -E '^(E|Err|W):' "$APT_LOG" | tail -n 3 || true)
  cat "$APT_LOG" >&2
  case $words in
    *'Failed to fetch'* | *'Unable to fetch'* | *'Could not resolve'* | *'Unable to connect'* | \
      *'Could not connect'* | *'Some index files failed'* | *'does not have a Release file'*)
      die "the Debian mirror failed several times; try again later."
      ;;
  esac
  die "apt-get fails, see above"
}

# --- Python ----------------------------------------------------------------------------------

# Prints the newest-enough Python's path.
find_python() {
  local name
  for name in python3 python3.11 python3.12 python3.13 python3.14; do
    type -P "$name" >/dev/null &&
      "$name" -ISc 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
      type -P "$name" && return
  done
  return 1
}

# What the venv must have been made from: itself (it is not relocatable), its own Python (an
# upgrade of the system's replaces it), the locks, the project's dependencies and entry points.
venv_key() {
  "$VENV/bin/python" -ISc '
import hashlib, sys
key = hashlib.sha256((sys.version + sys.argv[1]).encode())
locks = ("oldest",) if sys.argv[2] == "oldest" else ("runtime", "test")
for name in (*(f"requirements/{lock}.txt" for lock in locks), "pyproject.toml"):
    with open(f"{sys.argv[1]}/{name}", "rb") as file:
        key.update(file.read())
print(key.hexdigest())' "$ROOT" "$1" 2>/dev/null
}

# use_venv runtime|test|oldest: the test set holds the runtime set, so either stamp serves
# `runtime`. The oldest versions are for tests only and have a separate environment.
use_venv() {
  local lock=$1 turn
  [[ $lock != oldest ]] || VENV=$ROOT/.nixery/venv-oldest
  venv_is_good "$lock" && return
  find_python >/dev/null || install_packages python3 python3-venv
  find_python >/dev/null || die "Python 3.11 or newer is needed, and no such python3 is on PATH"
  # Two scripts may come here at once; the second finds the work done.
  exec {turn}<"$ROOT/requirements/runtime.txt"
  flock "$turn"
  if ! venv_is_good "$lock"; then make_venv "$lock"; fi
  exec {turn}<&-
}

venv_is_good() {
  local key
  [[ -x $VENV/bin/python && -r $VENV/stamp ]] && key=$(venv_key "$1") &&
    [[ $(<"$VENV/stamp") == "$1 $key" || $(<"$VENV/stamp") == "test $key" ]]
}

make_venv() {
  local lock=$1 python version
  python=$(find_python)
  version=$("$python" -ISc 'import sys; print(sys.version)')
  rm -f "$VENV/stamp"
  # A venv of the same Python is mended in place: a server may be running from it.
  if [[ $("$VENV/bin/python" -ISc 'import sys; print(sys.version)' 2>/dev/null) != "$version" ]]; then
    say "making the Python environment ${VENV#"$ROOT/"} ($python, ${version%% *})"
    # In Debian, ensurepip is a separate package, which only an import detects.
    "$python" -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    "$python" -m venv --clear "$VENV"
  fi
  say "installing the Python packages of requirements/$lock.txt (hash-locked)"
  pip install --require-hashes --requirement "$ROOT/requirements/$lock.txt"
  pip install --no-build-isolation --no-deps --editable "$ROOT"
  printf '%s %s\n' "$lock" "$(venv_key "$lock")" >"$VENV/stamp"
}

pip() {
  # Twice quiet: errors only. A machine's pip may warn about each of its indexes per package.
  "$VENV/bin/python" -m pip --quiet --quiet --disable-pip-version-check --no-input "$@" ||
    die "pip fails, see above: the package index may be unreachable"
}

# --- Nix -------------------------------------------------------------------------------------

# Only where nobody has configured Nix: a fresh Debian has no nix.conf and no build users, and
# Nix then refuses to build as root.
use_private_nix_conf() {
  [[ -z ${NIX_CONF_DIR:-} && ! -e /etc/nix/nix.conf ]] || return 0
  [[ ${NIX_REMOTE:-} != daemon && ! -S /nix/var/nix/daemon-socket/socket ]] || return 0
  export NIX_CONF_DIR=$ROOT/scripts/nix
}
