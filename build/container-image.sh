#!/usr/bin/env bash
# Makes a small container image to try 'blixard image import' with, where there is no docker: busybox, a user, a page.
#   build/container-image.sh FILE
# Writes FILE in the form of 'docker save' (say docker-archive:FILE). With a network card the image serves its page on port 8080; without one
# it counts the seconds on the console. A stop makes it end at once.
set -euo pipefail
[[ $# -eq 1 && $1 != -* ]] || { echo "usage: $0 FILE" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
need_packages /bin/busybox=busybox-static tar=tar
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pack DIRECTORY writes a tar archive that is the same each time: no owners, no times, one order.
pack() { tar --create --directory "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar .; }

mkdir -p "$work"/{base/bin,base/etc,page/srv,page/bin,image/base,image/page}
cp "$(command -v busybox)" "$work/base/bin/busybox"
for applet in sh cat date echo httpd id ip sleep uname; do
    ln -s busybox "$work/base/bin/$applet"
done
echo "app:x:1000:1000::/srv:/bin/sh" >"$work/base/etc/passwd"
echo "hello from a container image" >"$work/page/srv/index.html"
cat >"$work/page/bin/serve" <<'SERVE'
#!/bin/sh
trap 'echo "goodbye"; exit 0' TERM
echo "$GREETING from $HOSTNAME: $(id -un) in $(pwd), kernel $(uname -r)"
httpd -p 8080 -h /srv
seconds=0
while :; do
    sleep 1 &
    wait $!
    seconds=$((seconds + 1))
    [ $((seconds % 10)) -ne 0 ] || echo "up for $seconds s"
done
SERVE
chmod 755 "$work/page/bin/serve"

pack "$work/base" >"$work/image/base/layer.tar"
pack "$work/page" >"$work/image/page/layer.tar"
digest() { sha256sum "$1" | cut -d' ' -f1; }
cat >"$work/config.json" <<CONFIG
{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",
 "config":{"User":"app","Env":["PATH=/bin","GREETING=hello"],"Cmd":["/bin/serve"],"WorkingDir":"/srv",
  "Labels":{"org.opencontainers.image.title":"hello"}},
 "rootfs":{"type":"layers","diff_ids":["sha256:$(digest "$work/image/base/layer.tar")","sha256:$(digest "$work/image/page/layer.tar")"]}}
CONFIG
config=$(digest "$work/config.json").json
mv "$work/config.json" "$work/image/$config"
cat >"$work/image/manifest.json" <<MANIFEST
[{"Config":"$config","RepoTags":["hello:latest"],"Layers":["base/layer.tar","page/layer.tar"]}]
MANIFEST
pack "$work/image" >"$1.new"
mv "$1.new" "$1"
echo "container: wrote $1 (hello:latest)" >&2
