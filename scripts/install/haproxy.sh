#!/usr/bin/env bash
# Puts Debian's haproxy and the libraries that it alone needs into .cache/haproxy, for deploy/check: no service is started and none is configured.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$cache/haproxy
run() { LD_LIBRARY_PATH=$(echo "$target"/usr/lib/*-linux-gnu) "$target/usr/sbin/haproxy" -v >/dev/null 2>&1; }
if run; then exit 0; fi

command -v apt-get >/dev/null || die "not a Debian-like system: put a haproxy 2.6 or later at $target/usr/sbin/haproxy"
say "installing haproxy into .cache/haproxy"
work=$(mktemp -d "$cache/haproxy.XXXXXX")
trap 'rm -rf "$work"' EXIT
apt_fetch "$work" haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
rm -rf "$target"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$target"; done
run || die "haproxy does not start: install what it needs (libcrypt1, libpcre2-8-0, libssl3, libsystemd0)"
