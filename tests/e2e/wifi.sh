#!/usr/bin/env bash
# The way out of a session's own network, which leads nowhere: there, or not.
set -euo pipefail
case "$1" in
  on)
    ip link show wifi >/dev/null 2>&1 && exit 0
    ip link add wifi type veth peer name air
    ip addr add 10.77.0.2/24 dev wifi
    ip link set air up
    ip link set wifi up
    ip route add default via 10.77.0.1
    ;;
  off) ip link del wifi ;;
esac
