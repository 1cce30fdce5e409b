#!/bin/busybox sh
# The first process of the guest that tests run in: puts this host's root, unwritable, under a layer in memory, makes that
# its own root, runs the words of /words there, and switches itself off. What they say goes to the first port of virtio.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module.ko"; done </order

mkdir -p /host /layer /root
mount -t virtiofs -o ro host /host
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
# Folders of yards and engines come and go on the host meanwhile: they are covered by whiteouts, and made anew.
for folder in etc/netns var/lib/switchyard var/lib/containers var/lib/docker; do
  mkdir -p "/layer/upper/${folder%/*}"
  mknod "/layer/upper/$folder" c 0 0
done
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root

# Nothing of the host's running state is seen; no layer of a container may lie on another.
for folder in run tmp var/tmp var/lib/switchyard var/lib/containers var/lib/docker; do
  mkdir -p "/root/$folder"
  mount -t tmpfs tmpfs "/root/$folder"
done
chmod 1777 /root/tmp /root/var/tmp
# The tree that is tested may lie in one of these.
checkout=$(cat /checkout)
if [ ! -e "/root$checkout" ]; then
  mkdir -p "/root$checkout" /layer/checkout /layer/checkout.work
  mount -t overlay -o "lowerdir=/host$checkout,upperdir=/layer/checkout,workdir=/layer/checkout.work" tree "/root$checkout"
fi
mkdir -p /root/run/lock /root/proc /root/sys /root/dev
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mkdir /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t tmpfs shm /root/dev/shm
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
ln -sfn fd/0 /root/dev/stdin
ln -sfn fd/1 /root/dev/stdout
ln -sfn fd/2 /root/dev/stderr
ln -sfn /proc/self/fd /root/dev/fd
ln -sfn "$(cat /modules.path)" /root/lib/modules
cp /words /run.sh /root/run/
exec switch_root /root /bin/busybox sh /run/run.sh
