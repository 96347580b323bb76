#!/usr/bin/env bash
# Makes a small guest to boot: Debian's cloud kernel and a busybox initramfs.
#   build/guest-image.sh OUTDIR
# Writes OUTDIR/vmlinuz and OUTDIR/initramfs.cpio.gz, and OUTDIR/modules and OUTDIR/busybox for 'blixard image import'; prints
# what it does on stderr. A second run with the same script and complete files does nothing. docs/microvm.md says what the guest promises.
set -euo pipefail
[[ $# -eq 1 && $1 != -* ]] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
script=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
source "$(dirname "$script")/setup.sh"
mkdir -p "$1"
out=$(cd "$1" && pwd)
stamp=$(sha256sum <"$script")

# Two runs at once take turns; the second finds the work done.
exec 9>"$out/.lock"
flock 9
if [[ -s $out/vmlinuz && -s $out/initramfs.cpio.gz && -s $out/busybox && -s $out/modules/modules.builtin && $(cat "$out/.stamp" 2>/dev/null) == "$stamp" ]]; then
    exit 0
fi
[[ $(uname -m) == x86_64 ]] || fail "the guest image is for x86_64; this machine is $(uname -m)"
need_packages /bin/busybox=busybox-static cpio=cpio dpkg=dpkg gzip=gzip
busybox=$(command -v busybox)
"$busybox" --list | grep -qx insmod || fail "$busybox lacks insmod: install busybox-static"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kernel_package() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1; }
package=$(kernel_package)
if [[ -z $package ]]; then
    [[ $(id -u) -eq 0 ]] || fail "apt does not know linux-image-cloud-amd64: run 'apt-get update' as root once"
    echo "guest: refreshing the package lists" >&2
    apt-get update >"$work/update.log" 2>&1 || { tail -n 5 "$work/update.log" >&2; fail "apt-get update failed"; }
    package=$(kernel_package)
    [[ -n $package ]] || fail "apt does not know linux-image-cloud-amd64"
fi
echo "guest: downloading $package" >&2
sandbox=()
[[ $(id -u) -eq 0 ]] && sandbox=(-o APT::Sandbox::User=root)
(cd "$work" && apt-get "${sandbox[@]}" download "$package" >download.log 2>&1) || { tail -n 5 "$work/download.log" >&2; fail "could not download $package"; }
dpkg -x "$work"/linux-image-*.deb "$work/kernel"

vmlinuz=$(echo "$work"/kernel/boot/vmlinuz-*)
[[ -s $vmlinuz ]] || fail "$package has no boot/vmlinuz-*"
version=${vmlinuz##*/vmlinuz-}

echo "guest: packing the initramfs" >&2
root_fs=$work/root
mkdir -p "$root_fs"/{bin,dev,etc,mnt,proc,run,sbin,sys,tmp,www,lib/modules}
cp "$busybox" "$root_fs/bin/busybox"

# The power button needs button and evdev; disks and the network card are modules in this kernel too. What is built into the kernel has no
# file; modules.builtin names it.
modules=$work/modules
mkdir -p "$modules"
tree=$work/kernel/lib/modules/$version
for module in drivers/input/evdev drivers/acpi/button drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_mmio \
    drivers/block/virtio_blk drivers/net/net_failover drivers/net/virtio_net net/core/failover; do
    [[ -f $tree/kernel/$module.ko ]] && cp "$tree/kernel/$module.ko" "$modules/"
done
cp "$modules"/*.ko "$root_fs/lib/modules/"
cp "$tree/modules.builtin" "$modules/"

cat >"$root_fs/init" <<'INIT'
#!/bin/busybox sh
# Makes the tree usable and hands over to busybox init, which reaps children.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
# The name comes as systemd.hostname=, which other guests understand too.
name=$(sed -n 's/.*systemd\.hostname=\([^ ]*\).*/\1/p' /proc/cmdline)
hostname "${name:-guest}"
for module in evdev button failover net_failover virtio_ring virtio virtio_mmio virtio_blk virtio_net; do
    [ -f /lib/modules/$module.ko ] && insmod /lib/modules/$module.ko 2>/dev/null
done
ip link set lo up
exec init
INIT

cat >"$root_fs/etc/inittab" <<'INITTAB'
::respawn:/sbin/power-button
::once:/sbin/network
ttyS0::respawn:/sbin/console
::ctrlaltdel:/bin/poweroff -f
INITTAB

# struct input_event is 24 bytes: time (16), type (2), code (2), value (4). KEY_POWER pressed: 01 00 74 00 01 00 00 00.
cat >"$root_fs/sbin/power-button" <<'BUTTON'
#!/bin/sh
# The button is listened to before the guest says that it is up, so a stop after that line is always heard.
[ -c /dev/input/event0 ] && exec 3</dev/input/event0 && listening=1
[ -e /run/announced ] || echo "blixard-guest: up $(hostname) $(uname -r)" >/dev/ttyS0
: >/run/announced
[ -n "$listening" ] || exec sleep 86400
while event=$(dd bs=24 count=1 <&3 2>/dev/null | hexdump -v -e '24/1 "%02x"') && [ -n "$event" ]; do
    [ "${event#????????????????????????????????}" = 0100740001000000 ] || continue
    echo "blixard-guest: power button pressed, going down" >/dev/ttyS0
    [ -x /etc/stop ] && /etc/stop
    # init starts nothing new any more; everything but init and this script gets two seconds to end.
    kill -TSTP 1
    each_other() {
        for process in /proc/[0-9]*; do
            process=${process#/proc/} line=
            [ "$process" -eq 1 ] || [ "$process" -eq $$ ] && continue
            # Kernel threads and the dead have no command line.
            read -r line 2>/dev/null </proc/$process/cmdline
            [ -n "$line" ] && { "$@" "$process" && found=1; }
        done
    }
    each_other kill -TERM
    each_other kill -HUP
    n=0 found=1
    while [ -n "$found" ] && [ $n -lt 20 ]; do
        found=
        each_other true
        [ -n "$found" ] && usleep 100000
        n=$((n + 1))
    done
    sync
    umount -a -r 2>/dev/null
    echo "blixard-guest: down" >/dev/ttyS0
    poweroff -f
done
BUTTON

# The shell's prompt comes after the line that says that the guest is up.
cat >"$root_fs/sbin/console" <<'CONSOLE'
#!/bin/sh
until [ -e /run/announced ]; do usleep 20000; done
exec sh -l
CONSOLE

# With a network card: an address by DHCP, and a page on port 80 that says who answers.
cat >"$root_fs/sbin/network" <<'NETWORK'
#!/bin/sh
[ -e /sys/class/net/eth0 ] || exit 0
ip link set eth0 up
udhcpc -i eth0 -q -n -s /sbin/lease >/dev/null 2>&1 || { echo "blixard-guest: no address by DHCP" >/dev/ttyS0; exit 0; }
echo "hello from $(hostname), $(uname -r)" >/www/index.html
httpd -h /www
echo "blixard-guest: network $(ip -4 -o addr show eth0 | sed 's/.*inet \([^ ]*\).*/\1/')" >/dev/ttyS0
NETWORK

cat >"$root_fs/sbin/lease" <<'LEASE'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -n "$router" ] && ip route add default via "${router%% *}"
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
LEASE

chmod 0755 "$root_fs/init" "$root_fs"/sbin/*
(cd "$root_fs" && find . -print0 | LC_ALL=C sort -z | cpio --null --quiet --reproducible -o -H newc -R 0:0 | gzip -n -9) >"$out/initramfs.cpio.gz.new"
cp "$vmlinuz" "$out/vmlinuz.new"
cp "$busybox" "$out/busybox.new"
rm -rf "$out/modules" "$out/modules.new"
cp -r "$modules" "$out/modules.new"
mv "$out/modules.new" "$out/modules"
mv "$out/busybox.new" "$out/busybox"
mv "$out/vmlinuz.new" "$out/vmlinuz"
mv "$out/initramfs.cpio.gz.new" "$out/initramfs.cpio.gz"
echo "$stamp" >"$out/.stamp"
echo "guest: wrote $out/vmlinuz ($version) and $out/initramfs.cpio.gz" >&2
