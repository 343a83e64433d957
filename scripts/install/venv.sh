#!/usr/bin/env bash
# venv.sh NAME REQUIREMENTS.txt...: a virtual environment .cache/NAME that holds exactly the pinned, hashed packages of these files.
# A second call with the same files does nothing; a changed file makes it anew.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -ge 2 ] || die "use: venv.sh NAME REQUIREMENTS.txt..."
name=$1
shift
target=$cache/$name
sum=$(cat "$@" | sha256sum | cut -d' ' -f1)
if [ -x "$target/bin/python" ] && stamped "$target/.stamp" "$root" "$sum"; then exit 0; fi

say "installing $* into .cache/$name"
python=$(find_python)
"$python" -m venv --clear "$target"
arguments=()
for file in "$@"; do arguments+=(--requirement "$file"); done
"$target/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps --only-binary :all: --require-hashes "${arguments[@]}" ||
  die "pip could not install $*"
echo "$root $sum" >"$target/.stamp"
