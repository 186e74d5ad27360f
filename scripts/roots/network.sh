# shellcheck shell=bash
# Network access of a root in a directory, like this machine's. Source it after lib.sh.
#
#   copy_network ROOT     name servers, certificates, the configuration of apt and pip
#   network_variables     the variables of this environment that say the same, as NAME=value lines

NETWORK='^(PIP_[A-Z_]*|[a-zA-Z]+_(proxy|PROXY)|[A-Z_]*(SSL|CA)_?(CERT|CA|BUNDLE)[A-Z_]*|SSL_CERT_DIR)='

network_variables() { env | grep -E "$NETWORK" || true; }

copy_network() {
  local root=$1 path
  for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt \
    /usr/local/share/ca-certificates /etc/pip.conf /etc/xdg/pip ~/.config/pip ~/.pip; do
    [[ ! -e $path ]] || copy_to "$root" "$path"
  done
  # Of apt's settings only those about fetching; the sources came with the root.
  while IFS= read -r path; do
    copy_to "$root" "$path"
  done < <(grep -ls '^ *Acquire::' /etc/apt/apt.conf /etc/apt/apt.conf.d/*)
}

copy_to() { mkdir -p "$1${2%/*}" && cp -rL --preserve=mode "$2" "$1$2"; }
