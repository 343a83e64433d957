# Sourced by the other scripts of this folder: where things go, and how one step fails.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$root/.cache
requirements=$root/requirements

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root, by sudo where this user is not root.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "root is needed for: $* - run it as root, or install sudo"
  fi
}

# Installs Debian packages, waiting for another apt rather than failing on its lock.
apt_install() {
  command -v apt-get >/dev/null ||
    die "not a Debian-like system: install what these packages hold, then try again: $*"
  local options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  say "installing Debian packages: $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" -qq update >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" -qq install -y \
    --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >"$cache/apt.log" 2>&1 ||
    { tail -n 30 "$cache/apt.log" >&2; die "apt-get could not install: $*"; }
}

# apt_fetch FOLDER PACKAGES... puts Debian packages as files into a folder, and installs none, so that no service is started.
apt_fetch() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update >&2
  (cd "$1" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "${@:2}") || die "apt-get could not fetch: ${*:2}"
}

# True where this Python is 3.11 with venv and pip's bootstrap, and its libpython is a shared library that the loader finds.
# The pinned wheels, and the program that Triton runs models in, are built for exactly that one.
python_fits() {
  "$1" - >/dev/null 2>&1 <<'PY'
import ctypes, ensurepip, os, sys, sysconfig, venv
assert sys.version_info[:2] == (3, 11)
name = "libpython3.11.so.1.0"
try:
    ctypes.CDLL(name)
except OSError:
    ctypes.CDLL(os.path.join(sysconfig.get_config_var("LIBDIR"), name))
PY
}

# Prints a Python 3.11 that fits; installs Debian's where there is none.
find_python() {
  local python
  for python in "${PYTHON:-}" python3.11 python3 /usr/bin/python3.11; do
    if [ -n "$python" ] && command -v "$python" >/dev/null && python_fits "$python"; then
      command -v "$python"
      return
    fi
  done
  apt_install python3.11 python3.11-venv libpython3.11
  python_fits /usr/bin/python3.11 || die "/usr/bin/python3.11 has no venv or no shared libpython: set PYTHON to a Python 3.11 that has both"
  echo /usr/bin/python3.11
}

# stamped FILE WORDS... is true where FILE says that exactly these inputs were installed.
stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "${*:2}" ]; }

mkdir -p "$cache"
