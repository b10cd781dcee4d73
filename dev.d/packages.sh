# shellcheck shell=bash
# packages.sh - what a word needs of the machine and how it gets there: Debian's packages through
# apt, and only those that are missing. Read by ../dev.

say() { printf 'dev: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# has WHAT: a Debian package that is installed, or command:package where any such command will do.
has() {
  case $1 in
    *:*) command -v "${1%%:*}" >/dev/null ;;
    *) dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed ;;
  esac
}

# need WHAT...: sees to it that all are there, or ends.
need() {
  local what missing=()
  for what in "$@"; do
    has "$what" || missing+=("${what#*:}")
  done
  if ((${#missing[@]})); then install_packages "${missing[@]}" || die "apt-get could not install: ${missing[*]}"; fi
}

# want PACKAGE...: the same for what one can do without.
want() {
  local what missing=()
  for what in "$@"; do
    has "$what" || missing+=("${what#*:}")
  done
  if ((${#missing[@]})); then (install_packages "${missing[@]}") || say "going on without ${missing[*]}"; fi
}

install_packages() {
  local as_root=()
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here: if the build fails, install what Debian calls $*"
    return 0
  fi
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
      as_root=(sudo)
    else
      die "missing: $*. This user can neither be root nor sudo; let one who can run: apt-get install $*"
    fi
  fi
  say "installing $*"
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${as_root[@]}" update </dev/null || say "apt-get update failed; trying with the lists that are there"
  "${as_root[@]}" install -y --no-install-recommends "$@" </dev/null >/dev/null
}

need_build_tools() {
  local version
  need c++:g++ cmake:cmake ninja:ninja-build
  version=$(cmake --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
  if [[ $(printf '3.22\n%s\n' "$version" | sort -V | sed -n 1p) != 3.22 ]]; then
    die "cmake 3.22 or newer is needed, but the first in PATH is $version"
  fi
}

# fetch_xsimd VERSION SUITE DIR: unpacks DIR/usr/include/xsimd of a Debian suite, whichever suite the
# machine runs. Package lists and downloads stay in DIR; nothing is installed. Exits with 77
# when it cannot be had.
fetch_xsimd() {
  local version=$1 suite=$2 dir=$PWD/$3 uri have
  if [[ $(xsimd_version "$dir") == "$version" ]]; then return 0; fi
  rm -rf "$dir"
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  for uri in $(debian_mirrors); do
    say "fetching xsimd $version from Debian $suite"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$dir/sources.list"
    if private_apt "$dir" update 2>"$dir/log" && (cd "$dir" && private_apt "$dir" download libxsimd-dev 2>>log); then
      dpkg-deb -x "$dir"/libxsimd-dev_*.deb "$dir"
      rm -rf "$dir/lists" "$dir/cache"
      have=$(xsimd_version "$dir")
      if [[ $have == "$version" ]]; then return 0; fi
      say "Debian $suite has xsimd $have by now"
      exit 77
    fi
    sed 's/^/dev:   /' "$dir/log" >&2
  done
  say "skipped: this machine's Debian mirror does not give $suite"
  exit 77
}

xsimd_version() {  # DIR
  sed -n 's/#define XSIMD_VERSION_\(MAJOR\|MINOR\) //p' "$1"/usr/include/xsimd/config/xsimd_config.hpp 2>/dev/null |
    paste -sd . || true
}

# The mirrors from which this machine's apt takes Debian itself: whole releases, with a main part.
debian_mirrors() {
  # shellcheck disable=SC2016  # the variables are apt's
  apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 !~ /[-\/]/ && $3 == "main" && !seen[$1]++ { print $1 }' || true
}

private_apt() {  # DIR ARGUMENT...
  local dir=$1
  shift
  apt-get -qq -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::lists="$dir/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
    -o APT::Default-Release= -o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any "$@" </dev/null
}
