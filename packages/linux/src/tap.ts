/** Tap devices (tun(4); Documentation/networking/tuntap.rst of the kernel), as virtual machines have them. */
import { YardError } from "@switchyard/base";
import { Excursion, namespaceKey, openNamespace } from "./excursion.ts";
import { checked, errno, errnoName, libc, littleEndian, O_RDWR, SystemCallError } from "./ffi.ts";
import { checkLinkName } from "./names.ts";
import type { NamespaceRef } from "./types.ts";

const DEVICE = "/dev/net/tun";

// <linux/if_tun.h>
const TUNSETIFF = 0x400454can;
const TUNSETPERSIST = 0x400454cbn;
const TUNSETOWNER = 0x400454ccn;
const TUNGETIFF = 0x800454d2n;
const IFF_TAP = 0x0002;
const IFF_PERSIST = 0x0800;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

/**
 * Makes a persistent one; it is whole or not there.
 *
 * @throws SystemCallError, EEXIST when a link has the name
 */
export function makeTap(excursion: Excursion, namespace: NamespaceRef, name: string, owner: number | undefined): void {
  const { ioctl, ioctlValue, close } = libc();
  const fd = openDevice(excursion, namespace);
  try {
    if (ioctl(fd, TUNSETIFF, request(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)) < 0) {
      const number = errno();
      // A link of another kind is said to be no valid argument, a tap device to be busy.
      const taken = ["EBUSY", "EINVAL"].includes(errnoName(number));
      throw new SystemCallError("TUNSETIFF", taken ? EEXIST : number, name);
    }
    if (owner !== undefined) checked(ioctlValue(fd, TUNSETOWNER, BigInt(owner)), "TUNSETOWNER", name);
    checked(ioctlValue(fd, TUNSETPERSIST, 1n), "TUNSETPERSIST", name);
  } finally {
    close(fd);
  }
}

const EEXIST = 17;

/**
 * Opens a tap device that is there, for a program that shall exchange packets with it (each with a `struct
 * virtio_net_hdr` before it) and that may itself have no right to do so. The descriptor is good in any namespace.
 *
 * @returns the descriptor, the caller's to close; programs that are started inherit it only as they are told to
 * @throws YardError `link.bad-name`, `link.tap-absent`, `link.tap-busy`, `namespace.missing`,
 * `namespace.not-permitted`, `linux.call-failed`
 */
export function openTap(namespace: NamespaceRef, name: string): number {
  checkLinkName(name);
  using excursion = new Excursion();
  const { ioctl, close } = libc();
  const fd = openDevice(excursion, namespace);
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  let failure: YardError | undefined;
  if (ioctl(fd, TUNSETIFF, request(name, flags)) < 0) failure = refusal(namespace, name, errno());
  else {
    // Where there was none the kernel has made one, which goes with the descriptor.
    const answer = request(name, 0);
    if (ioctl(fd, TUNGETIFF, answer) < 0) failure = new SystemCallError("TUNGETIFF", errno(), name);
    else if ((flagsOf(answer) & IFF_PERSIST) === 0) failure = absent(namespace, name);
  }
  if (failure === undefined) return fd;
  close(fd);
  throw failure;
}

function refusal(namespace: NamespaceRef, name: string, number: number): YardError {
  switch (errnoName(number)) {
    case "EBUSY":
      return new YardError("link.tap-busy", `the tap device ${name} of ${namespaceKey(namespace)} is in use`, {
        hint: "end the program, such as a virtual machine, that has it",
      });
    // A link of another kind has the name.
    case "EINVAL":
      return absent(namespace, name);
    default:
      return new SystemCallError("TUNSETIFF", number, name);
  }
}

function absent(namespace: NamespaceRef, name: string): YardError {
  return new YardError("link.tap-absent", `there is no tap device ${name} in ${namespaceKey(namespace)}`);
}

/** A descriptor whose devices are those of the namespace. */
function openDevice(excursion: Excursion, namespace: NamespaceRef): number {
  const target = openNamespace(namespace);
  try {
    return excursion.file(namespace, target, DEVICE, O_RDWR);
  } finally {
    libc().close(target);
  }
}

/** `struct ifreq` with a name and flags. */
function request(name: string, flags: number): Buffer {
  const buffer = Buffer.alloc(40);
  buffer.write(name, 0, 15, "utf8");
  new DataView(buffer.buffer, buffer.byteOffset).setUint16(16, flags, littleEndian);
  return buffer;
}

function flagsOf(answer: Buffer): number {
  return new DataView(answer.buffer, answer.byteOffset).getUint16(16, littleEndian);
}
