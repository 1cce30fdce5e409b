#!/bin/sh
# One run of Mininet, timed: unshare --mount --net --pid --fork --mount-proc sh mininet.sh HOSTS
#
# Mininet wants the system's Open vSwitch and sets the system's limits. Here it gets a switch at the usual place in a
# /run of its own, /proc/sys to read only, and a process namespace that ends with it. Prints the seconds that `mn` took.
set -eu
hosts=$1
mount -t tmpfs tmpfs /run
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
ip link set lo up
mkdir /run/openvswitch /run/lock
db=/run/openvswitch
ovsdb-tool create $db/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server $db/conf.db --remote=punix:$db/db.sock --pidfile --detach --no-chdir -vconsole:off -vsyslog:off -vfile:off
ovs-vsctl --no-wait init
ovs-vswitchd unix:$db/db.sock --pidfile --detach --no-chdir -vconsole:off -vsyslog:off -vfile:off
ovs-vsctl set Open_vSwitch . external_ids:ready=yes
began=$(cut -d' ' -f1 /proc/uptime)
mn --topo "single,$hosts" --switch ovs,datapath=user --controller none --test none >/run/mn.log 2>&1 </dev/null || {
  cat /run/mn.log >&2
  exit 1
}
ended=$(cut -d' ' -f1 /proc/uptime)
echo "$began $ended"
