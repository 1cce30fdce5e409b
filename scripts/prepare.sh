#!/bin/sh
# Installs what a job needs and this machine lacks: Debian packages, then the npm packages of the lock file.
#
#   scripts/prepare.sh build|demo|guest|frr|test|bench
#
# What is there already is left alone, so it can be repeated and works without a network once all is installed. No
# service is started: a temporary policy-rc.d forbids it to the packages' own scripts (invoke-rc.d(8)), and a unit that
# an installation enables for the next boot is disabled again.
set -eu
cd "$(dirname "$0")/.."

job=${1:-build}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# "<package>:<what it is needed for>", the latter a program or an absolute path.
build="npm:npm"
demo="$build openvswitch-switch:ovs-vswitchd iproute2:ip busybox-static:/bin/busybox runc:runc conmon:conmon"
guest="$build openvswitch-switch:ovs-vswitchd iproute2:ip busybox-static:/bin/busybox dnsmasq-base:dnsmasq nftables:nft
  qemu-system-x86:qemu-system-x86_64 qemu-utils:qemu-img genisoimage:genisoimage"
frr="$demo frr:/usr/lib/frr/zebra"
kernel="qemu-system-common:/usr/lib/qemu/virtiofsd kmod:depmod"
test="$demo $guest $frr $kernel docker.io:dockerd docker-compose:docker-compose debootstrap:debootstrap podman:podman containerd:containerd iperf3:iperf3 iputils-ping:ping tcpdump:tcpdump tshark:tshark nftables:nft dnsmasq-base:dnsmasq isc-dhcp-client:dhclient ethtool:ethtool openssl:openssl openssh-client:ssh wireguard-tools:wg wireguard-go:wireguard-go
  procps:ps zsh:zsh fish:fish python3-openvswitch:/usr/lib/python3/dist-packages/ovs python3-redis:/usr/lib/python3/dist-packages/redis
  containernetworking-plugins:/usr/lib/cni/host-local chromium:chromium fonts-dejavu-core:/usr/share/fonts/truetype/dejavu
  openvswitch-switch-dpdk:/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk librte-net-virtio23:/usr/share/doc/librte-net-virtio23
  librte-bus-vdev23:/usr/share/doc/librte-bus-vdev23 librte-bus-pci23:/usr/share/doc/librte-bus-pci23 librte-mempool-ring23:/usr/share/doc/librte-mempool-ring23"
bench="$test mininet:mn"

case $job in
  build) wanted=$build ;;
  demo) wanted=$demo ;;
  guest) wanted=$guest ;;
  frr) wanted=$frr ;;
  test) wanted=$test ;;
  bench) wanted=$bench ;;
  *) echo "usage: $0 build|demo|guest|frr|test|bench" >&2; exit 2 ;;
esac

present() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=
for entry in $wanted; do
  present "${entry#*:}" || missing="$missing ${entry%%:*}"
done

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing (Debian's names); install them with your system's package manager, then try again" >&2
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    sh scripts/install-debian.sh $missing
  elif command -v sudo >/dev/null 2>&1; then
    echo "root is needed to install:$missing"
    sudo sh scripts/install-debian.sh $missing
  else
    echo "missing:$missing" >&2
    echo "as root: sh $(pwd)/scripts/install-debian.sh$missing" >&2
    exit 1
  fi
fi

if ! node scripts/dependencies.mjs; then
  echo "installing the npm packages of package-lock.json"
  npm ci --no-audit --no-fund --loglevel=error
fi
# A package manager that runs no install scripts leaves Bun's launcher in place of Bun.
node_modules/.bin/bun --version >/dev/null 2>&1 || node node_modules/bun/install.js
