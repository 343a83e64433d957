#!/usr/bin/env bash
# Puts Debian's nginx into .cache/nginx, for bench/kserve: its program alone, so that no service is started and none is configured.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$cache/nginx
if [ -x "$target/usr/sbin/nginx" ] && "$target/usr/sbin/nginx" -v 2>/dev/null; then exit 0; fi

command -v apt-get >/dev/null || die "not a Debian-like system: put an nginx with grpc_pass at $target/usr/sbin/nginx"
say "installing nginx into .cache/nginx"
work=$(mktemp -d "$cache/nginx.XXXXXX")
trap 'rm -rf "$work"' EXIT
apt_fetch "$work" nginx
rm -rf "$target"
dpkg-deb -x "$work"/nginx_*.deb "$target"
"$target/usr/sbin/nginx" -v 2>/dev/null || die "nginx does not start: install what it needs (libpcre2-8-0, libssl3, zlib1g)"
