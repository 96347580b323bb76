#!/bin/busybox sh
# Called by udhcpc when the machine has an address.
export PATH=/bin
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -n "$router" ] && ip route add default via "${router%% *}"
for server in $dns; do echo "nameserver $server"; done >/run/resolv.conf
echo "$ip/${mask:-24}" >/run/address
