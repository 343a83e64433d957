#!/usr/bin/env bash
# Puts Debian's Prometheus and promtool into .cache/prometheus: its programs alone, so that no service is started and none is configured.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$cache/prometheus
works() { "$target/usr/bin/prometheus" --version >/dev/null 2>&1 && "$target/usr/bin/promtool" --version >/dev/null 2>&1; }
if works; then exit 0; fi

command -v apt-get >/dev/null || die "not a Debian-like system: put prometheus and promtool, 2.42 or later, into $target/usr/bin"
say "installing Prometheus into .cache/prometheus"
work=$(mktemp -d "$cache/prometheus.XXXXXX")
trap 'rm -rf "$work"' EXIT
apt_fetch "$work" prometheus
dpkg-deb -x "$work"/prometheus_*.deb "$work/all"
rm -rf "$target"
mkdir -p "$target/usr/bin"
mv "$work"/all/usr/bin/prometheus "$work"/all/usr/bin/promtool "$target/usr/bin/"
cp "$work"/all/usr/share/doc/prometheus/copyright "$target/copyright"
works || die "Prometheus does not start"
