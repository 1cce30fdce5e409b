/**
 * A guest for tests: Debian's cloud kernel, and a busybox whose init brings its nics up, runs the guest agent, heeds
 * the power button, gives a shell on the serial console, and runs Dropbear's ssh server for whom it is told of. With a volume for cloud-init it does what that says of its
 * nics, and runs its user data if that is a script: a stand-in for cloud-init that understands what we write. Its parts are Debian's packages, downloaded once into
 * `~/.cache/switchyard-tests` and unpacked, not installed.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { run } from "@switchyard/base";
import { CpioArchive } from "./cpio.ts";
import { type DebianKernel, debianKernel, debianPackages, modulePath } from "./debian.ts";

export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
}

/** In the order in which they need each other. */
const MODULES = [
  ...["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"],
  ...["failover", "net_failover", "virtio_net", "virtio_blk", "virtio_console", "evdev", "button"],
];
/** Those that only a guest with optical media needs. */
const MEDIA = ["scsi_common", "scsi_mod", "libata", "ata_piix", "cdrom", "sr_mod", "isofs"];

/**
 * Words of the kernel's command line steer it: `address=10.0.0.1/24` for eth0; `media` where it has optical ones;
 * `ssh=AAAA…`, the middle part of a public key of ed25519, for an ssh server that lets root in with that; `no-agent`.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin PS1='guest# '
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
load() { for module; do insmod /modules/$module.ko; done; }
load ${MODULES.join(" ")}
ip link set lo up
# What is plugged in later is up by itself.
cat > /bin/nics <<'END'
#!/bin/sh
for nic in /sys/class/net/eth*; do [ -e $nic ] && ip link set $(basename $nic) up; done
END
chmod +x /bin/nics
nics
for word in $(cat /proc/cmdline); do
  case $word in
    address=*) ip address add \${word#address=} dev eth0 ;;
    media) load ${MEDIA.join(" ")}; media=yes ;;
    ssh=*) sshKey=\${word#ssh=} ;;
    no-agent) noAgent=yes ;;
  esac
done
cat > /bin/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add $ip/$mask dev $interface
[ -n "$router" ] && ip route add default via $router
[ -n "$dns" ] && echo "nameserver $dns" > /etc/resolv.conf
END
chmod +x /bin/lease
# Network configuration of version 2, one word a line: what it is is told by the line before.
configure() {
  while read -r word value; do
    value=\${value#\\"}
    value=\${value%\\"}
    case $word in
      macaddress:) nic=$(grep -l "$value" /sys/class/net/*/address | cut -d/ -f5) ;;
      set-name:) [ $value = $nic ] || { ip link set $nic down name $value; nic=$value; ip link set $nic up; } ;;
      dhcp4:) [ $value = true ] && udhcpc -q -n -t 20 -T 1 -i $nic -s /bin/lease ;;
      addresses: | routes: | nameservers:) [ "$list" = nameservers: ] || list=$word ;;
      via:) ip route add $to via $value dev $nic ;;
      -)
        case $list in
          addresses:) ip address add $value dev $nic ;;
          routes:) to=\${value#to: }; to=\${to#\\"} ;;
        esac ;;
      version: | ethernets: | match: | mtu: | scope: | *) case $word in *[0-9]:) list= ;; esac ;;
    esac
  done
}
if [ -n "$media" ] && mkdir /seed && mount -t iso9660 -o ro /dev/sr0 /seed 2>/dev/null; then
  hostname $(sed -n 's/.*"local-hostname": "\\(.*\\)".*/\\1/p' /seed/meta-data)
  [ -e /seed/network-config ] && configure < /seed/network-config > /dev/null
  [ "$(head -c 2 /seed/user-data)" = "#!" ] && sh /seed/user-data
fi
if [ -n "$sshKey" ]; then
  mkdir -p /dev/pts /root/.ssh /etc/dropbear
  mount -t devpts devpts /dev/pts
  chmod 700 /root /root/.ssh
  echo "ssh-ed25519 $sshKey" > /root/.ssh/authorized_keys
  dropbear -R -E -s 2> /tmp/dropbear.log
fi
[ -z "$noAgent" ] && [ -e /dev/vport0p1 ] && qemu-ga -m virtio-serial -p /dev/vport0p1 -t /tmp &
for event in /sys/class/input/event*; do
  [ "$(cat $event/device/name)" = "Power Button" ] && button=/dev/input/$(basename $event)
done
(dd if=$button of=/dev/null bs=24 count=1 2>/dev/null && poweroff -f) &
dmesg -n 1
echo guest ready
exec setsid cttyhack sh
`;

/** @throws Error when a part is missing and cannot be had */
export async function ensureGuest(): Promise<Guest> {
  const kernel = await debianKernel("cloud-amd64", ["qemu-guest-agent"]);
  const initrd = `${kernel.folder}/initrd.${Bun.hash(INIT).toString(36)}`;
  if (!existsSync(initrd)) {
    const draft = `${initrd}.${process.pid}`;
    writeFileSync(draft, await initramfs(kernel));
    renameSync(draft, initrd);
  }
  return { kernel: kernel.image, initrd };
}

async function initramfs(kernel: DebianKernel): Promise<Buffer> {
  const archive = new CpioArchive();
  for (const folder of ["bin", "dev", "etc", "proc", "sys", "tmp", "mnt", "modules"]) archive.folder(folder);
  archive.file("init", Buffer.from(INIT), 0o755);
  archive.file("bin/busybox", readFileSync(Bun.which("busybox") ?? "/bin/busybox"), 0o755);
  for (const module of [...MODULES, ...MEDIA])
    archive.file(`modules/${module}.ko`, readFileSync(modulePath(kernel, module)), 0o644);
  const server = await debianPackages("dropbear-bin", "libtomcrypt1", "libtommath1");
  const programs = [`${kernel.folder}/usr/sbin/qemu-ga`, `${server}/usr/sbin/dropbear`];
  const shared = { LD_LIBRARY_PATH: `${server}/usr/lib/x86_64-linux-gnu` };
  const libraries = new Map<string, string>();
  for (const program of programs) {
    archive.file(`bin/${basename(program)}`, readFileSync(program), 0o755);
    const told = await run(["ldd", program], { env: { ...process.env, ...shared } });
    for (const [, path = ""] of told.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm))
      libraries.set(path.startsWith(server) ? path.slice(server.length) : path, path);
  }
  const folders = new Set(["root", "usr", "usr/sbin"]);
  for (const path of libraries.keys())
    for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) folders.add(path.slice(1, at));
  for (const folder of folders) archive.folder(folder);
  for (const [path, source] of libraries) archive.file(path.slice(1), readFileSync(source), 0o755);
  archive.file("etc/passwd", Buffer.from("root:x:0:0:root:/root:/bin/sh\n"), 0o644);
  archive.file("etc/group", Buffer.from("root:x:0:\ntty:x:5:\n"), 0o644);
  archive.file("etc/shells", Buffer.from("/bin/sh\n"), 0o644);
  return archive.end();
}
