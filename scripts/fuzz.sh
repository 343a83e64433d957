#!/usr/bin/env bash
# fuzz.sh TIME TAGS PACKAGES...: runs each fuzz test of these packages for TIME, one after the other. The first failure ends it;
# Go then leaves the input in the package's testdata/fuzz, where it is a test case from then on.
set -euo pipefail

time=$1 tags=$2
shift 2
listing=$(go test -tags "$tags" -run '^$' -list '^Fuzz' -json "$@")
tests=$(sed -nE 's/.*"Action":"output","Package":"([^"]+)","Output":"(Fuzz[A-Za-z0-9_]+)\\n".*/\1 \2/p' <<<"$listing")
count=0
while read -r package name; do
  [ -n "$name" ] || continue
  echo "==> $package $name"
  go test -tags "$tags" -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package"
  count=$((count + 1))
done <<<"$tests"
echo "$count fuzz tests ran for $time each"
