# shellcheck shell=bash
# Small Debian systems in directories, for scripts/fresh and scripts/with-nix. Sourced after lib.sh.
#
#   make_root SUITE TARGET PACKAGE…   a minimal system as a directory, or a tarball (*.tar)
#   recipe_key WORD…                  what a cached root is kept under
#
# The addresses of packages are asked of apt; none is written down.

need_roots() {
  ((EUID == 0)) || die "only root can make and enter another system"
  need mmdebstrap=mmdebstrap unshare=util-linux
}

# Another recipe (these arguments, or a change of this file) is another root. Time is not part of
# it: a root that is a few weeks old is as good, and the cache may be deleted when it is not.
recipe_key() {
  { printf '%s\n' "$@"; cat "$ROOT/scripts/roots.sh"; } | sha256sum | cut -c 1-16
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
