#!/bin/sh
# Runs a container whose nics are made by CNI, most of all by the plugin userspace: as root,
#
#   CNI_PATH=/opt/cni/bin scripts/usrsp-docker-run.sh -it --privileged ovs-dpdk
#
# takes the words of `docker run`. A container that only sleeps holds the network namespace. Each network in NETCONFPATH
# gives it a nic, eth0, eth1 and so on in the order of the files' names; then the container proper runs in that namespace,
# with what the plugin hands over mounted. When it ends, or this script is told to, all of that is taken away.
#
#   CNI_PATH      folders of plugins, parted by colons; /opt/cni/bin:/usr/lib/cni
#   NETCONFPATH   the folder of networks, .conf and .conflist; /etc/cni/net.d
#   USRSPCNI      the folder of what is handed over: `sharedDir` of the networks is shared/ in it; /var/lib/cni/usrspcni
#   HOLDER        the image of the container that holds the namespace: any with `sleep`; by default the same
#   YARD          the executable of Switchyard; the one in PATH, else the one built here
#   DOCKER_HOST   the engine
set -eu

say() { echo "usrsp-docker-run: $*" >&2; }
die() { say "$@"; exit 1; }

[ $# -gt 0 ] || { say "docker run's words are missing, such as: -it --privileged ovs-dpdk"; exit 2; }
export CNI_PATH="${CNI_PATH:-/opt/cni/bin:/usr/lib/cni}"
networks=${NETCONFPATH:-/etc/cni/net.d}
folder=${USRSPCNI:-/var/lib/cni/usrspcni}
pages=/dev/hugepages
yard=${YARD:-$(command -v yard || echo "$(dirname "$0")/../dist/yard")}
[ -x "$yard" ] || die "$yard is not there; build it (make build), or name it: YARD=…"
[ -d "$pages" ] || die "$pages is not there: mkdir $pages && mount -t hugetlbfs nodev $pages"
set -f
files=$(set +f; cd "$networks" && ls -- *.conf *.conflist 2>/dev/null | sort) || true
[ -n "$files" ] || die "there is no network in $networks (NETCONFPATH)"

# The image is the first of the words that the engine has as one.
holder=${HOLDER:-}
for word do
  [ -z "$holder" ] || break
  case $word in -*) continue ;; esac
  if docker image inspect "$word" >/dev/null 2>&1; then holder=$word; fi
done
[ -n "$holder" ] || die "none of these words is an image that the engine has: $*"

# From here on lists have one thing a line, as files' names may have blanks.
IFS='
'
contid=
nics=
container=
# Whatever fails here the rest is taken away, too.
cleanup() {
  status=$?
  trap '' HUP INT TERM
  trap - EXIT
  if [ -n "$contid" ]; then
    running=$(docker ps --all --quiet --filter "label=switchyard-nics=$contid") || running=
    [ -z "$running" ] || docker rm --force $running >/dev/null 2>&1 || true
    [ -z "$container" ] || wait "$container" || true
    for nic in $nics; do
      "$yard" cni try "$networks/${nic#*=}" "/proc/$pid/ns/net" del --id "$contid" --ifname "${nic%%=*}" ||
        say "the nic ${nic%%=*} may be left behind"
    done
    docker rm --force "$contid" >/dev/null || true
    rmdir "$folder/$contid" 2>/dev/null || true
  fi
  exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

contid=$(docker run --detach --net=none --entrypoint sleep "$holder" infinity)
pid=$(docker inspect --format '{{.State.Pid}}' "$contid")
mkdir -p "$folder/shared" "$folder/$contid"
number=0
for file in $files; do
  # Noted before: what has been begun is taken back as well.
  nics="eth$number=$file
$nics"
  "$yard" cni try "$networks/$file" "/proc/$pid/ns/net" add --id "$contid" --ifname "eth$number" >/dev/null
  number=$((number + 1))
done

# An engine takes a folder for a device only beside --privileged, and makes nothing of it: the pages are in the mount.
device=
for word do
  case $word in --privileged | --privileged=true) device=--device=$pages:$pages ;; esac
done
# Not in the foreground: a signal is to be heard while it runs. The terminal is its own all the same; a shell gives what it
# puts into the background another input, unless it is told twice.
exec 3<&0
docker run --rm --label "switchyard-nics=$contid" \
  --volume "$folder/shared:/var/lib/cni/usrspcni/shared:rw" \
  --volume "$folder/$contid:/var/lib/cni/usrspcni/data:rw" \
  --volume "$pages:$pages:rw" $device \
  --net="container:$contid" "$@" <&3 3<&- &
container=$!
status=0
wait "$container" || status=$?
container=
# It may run on without us: --detach, or the keys that do the same.
running=$(docker ps --quiet --filter "label=switchyard-nics=$contid")
if [ -n "$running" ]; then
  docker wait $running >/dev/null &
  wait $! || true
fi
exit "$status"
