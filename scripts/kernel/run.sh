# Runs the words of /run/words, one a line, and switches the machine off; the rest of the guest's first process.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
ip link set lo up
hostname kernel
dmesg -n 5
# What the start of a system would have loaded: /dev/net/tun comes with its module, and nobody asks for the switch's.
modprobe -a tun openvswitch
set -- /dev/vport*p1
out=$1
set --
while read -r word; do set -- "$@" "$word"; done </run/words
{
  # A sign of life, which a kernel that hangs does not give.
  while sleep 10; do echo alive; done &
  setsid "$@" </dev/null 2>&1
  kill $!
} | cat >"$out"
# Whoever reads ends the machine when it has read the last line.
sleep 10
echo o >/proc/sysrq-trigger
sleep 60
