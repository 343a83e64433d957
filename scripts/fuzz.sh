#!/usr/bin/env bash
# fuzz.sh TIME TAGS PACKAGES...: runs each fuzz test of these packages for TIME, one after the other. The first failure ends it;
# Go then leaves the input in the package's testdata/fuzz, where it is a test case from then on.
set -euo pipefail

time=$1 tags=$2
shift 2
listing=$(go test -tags "$tags" -run '^$' -list '^Fuzz' -json "$@" | grep -E '"Action":"output".*"Output":"Fuzz[A-Za-z0-9_]+\\n"' || true)
count=0
while IFS= read -r line; do
  [ -n "$line" ] || continue
  package=$(sed -E 's/.*"Package":"([^"]+)".*/\1/' <<<"$line")
  name=$(sed -E 's/.*"Output":"(Fuzz[A-Za-z0-9_]+)\\n".*/\1/' <<<"$line")
  echo "==> $package $name"
  go test -tags "$tags" -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package"
  count=$((count + 1))
done <<<"$listing"
echo "$count fuzz tests ran for $time each"
