# Sourced by quickstart.sh and tests/run.sh.

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# need PACKAGE...: installs the Debian or Ubuntu packages that are missing, with the rights at hand.
need() {
  command -v apt-get >/dev/null || {
    say "no apt-get here, so nothing is installed; needed is what Debian calls: $*"
    return 0
  }
  missing=
  for package; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' ok installed$' ||
      missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "please install, as root: apt-get install$missing"
    as_root=sudo
  fi
  say "apt-get installs$missing"
  # A fresh machine may be updating itself: wait for its lock. An old package list is good enough, so only
  # the installation has to succeed.
  set -- -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3
  $as_root apt-get "$@" update || echo "apt-get update failed; going on with the package lists of before"
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" install -y --no-install-recommends $missing \
    >/dev/null || die "apt-get could not install$missing (its messages are above)"
}

# What building the compiler takes.
build_packages="gcc libc6-dev cmake ninja-build pkg-config llvm-19-dev libprotobuf-c-dev protobuf-c-compiler"
