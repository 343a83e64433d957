#!/usr/bin/env bash
# packages.sh GROUP...: installs the Debian packages of a group (build, test) that are not there yet.
# It looks for the thing itself, not for the package, so one that came in another way counts.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

missing=()
need() { # need PACKAGE COMMAND...: the package is missing when the command fails
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
library() { # the loader's cache holds this library
  local listing
  listing=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p) && [[ $listing == *"$1"* ]]
}

for group in "$@"; do
  case $group in
    build)
      need g++ command -v g++
      need pkg-config command -v pkg-config
      need libopencv-dev pkg-config --exists 'opencv4 >= 4.6'
      need libjpeg62-turbo-dev pkg-config --exists libjpeg
      ;;
    test)
      need redis-server command -v redis-server
      need chromium command -v chromium
      need nodejs command -v node
      need libb64-0d library libb64.so.0d
      ;;
    *) die "unknown group $group: build or test" ;;
  esac
done
if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
