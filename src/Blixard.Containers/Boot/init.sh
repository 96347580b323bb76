#!/bin/busybox sh
# Process 1 of a machine that runs a container image. The image's files are on the first disk; this script, busybox and the kernel's
# modules stay in the initial RAM file system, so nothing here depends on what the image holds.
# docs/containers.md says what it promises.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1

# Sets program (for messages), signal (to end it), owner (UID:GID) and modules.
. /etc/container

say() { echo "blixard-init: $*"; }

# Nothing runs any more but this script. A reset counts as a failure for the restart policy, powering off does not.
go_down() {
    kill -KILL -1 2>/dev/null
    sync
    mount -o remount,ro /dev/vda . 2>/dev/null
    say "down"
    "$1" -f
    while :; do sleep 60; done
}

give_up() {
    say "$*"
    go_down reboot
}

for module in $modules; do
    insmod /lib/modules/$module.ko || say "the kernel does not take the module $module"
done

# The host name comes as systemd.hostname=.
name=$(sed -n 's/.*systemd\.hostname=\([^ ]*\).*/\1/p' /proc/cmdline)
hostname "${name:-container}"
printf %s "$(hostname)" >/run/hostname

ip link set lo up
: >/run/resolv.conf
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 up
    udhcpc -i eth0 -q -n -t 5 -T 1 -s /sbin/lease >/dev/null 2>&1 && say "network $(cat /run/address)" || say "no address by DHCP"
fi

n=0
until [ -b /dev/vda ] || [ $n -ge 100 ]; do
    usleep 50000
    n=$((n + 1))
done
mount -t ext4 /dev/vda /root || give_up "the disk cannot be mounted"

mount -t proc -o nosuid,nodev,noexec proc /root/proc
mount -t sysfs -o nosuid,nodev,noexec sys /root/sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup /root/sys/fs/cgroup 2>/dev/null
mount -t devtmpfs -o nosuid dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 pts /root/dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /root/dev/shm
ln -sf /proc/self/fd /root/dev/fd
ln -sf fd/0 /root/dev/stdin
ln -sf fd/1 /root/dev/stdout
ln -sf fd/2 /root/dev/stderr
# Whose program it is may open /dev/stdout.
chown "$owner" /dev/ttyS0 /dev/console

# As in any container, these three are the machine's and not the image's.
put() {
    rm -rf "/root/etc/$1"
    cat >"/root/etc/$1"
}
hostname | put hostname
put resolv.conf </run/resolv.conf
put hosts <<HOSTS
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
$(sed 's|/.*||' /run/address 2>/dev/null || echo 127.0.1.1) $(hostname)
HOSTS

# The button is listened to before the program starts, so that a stop after the next line is always heard.
[ -c /dev/input/event0 ] && exec 4</dev/input/event0

# The disk becomes the root that programs see (they may make namespaces), while this script keeps its own.
cd /root
mount -o move . / || give_up "the disk cannot become the root"

say "starting $program"
/sbin/launch 3</run/hostname 4<&- </dev/ttyS0 >/dev/ttyS0 2>&1 &
entry=$!

# struct input_event is 24 bytes: time (16), type (2), code (2), value (4). KEY_POWER pressed: 01 00 74 00 01 00 00 00.
power_button() {
    while event=$(dd bs=24 count=1 <&4 2>/dev/null | hexdump -v -e '24/1 "%02x"') && [ -n "$event" ]; do
        [ "${event#????????????????????????????????}" = 0100740001000000 ] || continue
        [ -e /run/stopping ] && continue
        : >/run/stopping
        say "power button pressed, sending signal $signal to $program"
        kill -"$signal" "$entry"
        # The node waits 10 s before it ends the machine.
        (sleep 8; kill -KILL "$entry") &
    done
}
[ -c /dev/input/event0 ] && power_button &

# Waiting for one child, the shell reaps all: orphans of the program, too.
wait "$entry" 2>/dev/null
code=$?
case $code in
    126) say "$program could not be started: its user or its working directory cannot be had, or it ended with 126" ;;
    127) say "$program could not be started: it cannot be executed, or it ended with 127" ;;
esac
say "$program ended with exit code $code"
if [ "$code" -eq 0 ] || [ -e /run/stopping ]; then
    go_down poweroff
fi
go_down reboot
