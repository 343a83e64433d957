#!/usr/bin/env bash
# Puts libonnxruntime.so into .cache/onnxruntime, out of the pinned wheel. Both the wheel and the library are checked by SHA-256.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=1.24.3
case $(uname -m) in
  x86_64) platform=manylinux_2_28_x86_64 sum=12e097b0705253189cd2cde73a091febefb7348edcfe606cd54aec010a4bab2b ;;
  aarch64) platform=manylinux_2_28_aarch64 sum=34b560ca50f0ba1228a715ce3bedb14eb0fa8e9002dd43dfe083be399f67d7ad ;;
  *) die "no ONNX Runtime for $(uname -m): put libonnxruntime.so beside the binary, or name it by ONNXRUNTIME_LIB" ;;
esac

target=$cache/onnxruntime
stamp=$target/.stamp
if [ -f "$target/libonnxruntime.so" ] && stamped "$stamp" "$version" "$sum"; then exit 0; fi

say "installing ONNX Runtime $version into .cache/onnxruntime"
# Any Python 3 with pip will do here; Debian's has none, and a venv brings its own.
python=$(command -v "${PYTHON:-python3}" || true)
if [ -z "$python" ] || ! "$python" -m pip --version >/dev/null 2>&1; then
  python=$cache/pip/bin/python
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    base=$(find_python)
    "$base" -m venv --clear "$cache/pip"
  fi
fi

work=$(mktemp -d "$cache/onnxruntime.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$python" -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: --require-hashes \
  --python-version 3.11 --implementation cp --abi cp311 --platform "$platform" \
  --dest "$work" --requirement "$requirements/onnxruntime.txt" ||
  die "pip could not fetch the pinned ONNX Runtime wheel"
"$python" - "$work" "$version" <<'PY'
import pathlib, sys, zipfile
work, version = pathlib.Path(sys.argv[1]), sys.argv[2]
wheel, = work.glob("onnxruntime-*.whl")
with zipfile.ZipFile(wheel) as z:
    (work / "libonnxruntime.so").write_bytes(z.read(f"onnxruntime/capi/libonnxruntime.so.{version}"))
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        (work / name).write_bytes(z.read(f"onnxruntime/{name}"))
PY
echo "$sum  $work/libonnxruntime.so" | sha256sum --check --quiet - || die "libonnxruntime.so is not the one that was pinned"
mkdir -p "$target"
rm -f "$stamp"
mv -f "$work"/libonnxruntime.so "$work"/LICENSE "$work"/ThirdPartyNotices.txt "$target/"
echo "$version $sum" >"$stamp"
