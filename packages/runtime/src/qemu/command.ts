/** What QEMU is told of a machine, on its command line and by QMP. Pure. */
import { YardError } from "@switchyard/base";
import type { ImageLayer } from "./images.ts";
import {
  DIRECT_NICS,
  MOST_CPUS,
  MOST_DISKS,
  MOST_ISOS,
  MOST_MEMORY,
  MOST_NICS,
  NICS_A_BRIDGE,
  NICS_WITH_VECTORS,
} from "./limits.ts";
import type { Accelerator, VmConfig, VmNic } from "./types.ts";

const FIRST_NIC_SLOT = 5;
const FIRST_BRIDGE_SLOT = FIRST_NIC_SLOT + DIRECT_NICS;

/** Where a nic is plugged in: nic n at slot n + 5, as cloonix has it, beyond the 21st on bridges. */
export function pciAddress(index: number): { readonly bus: string; readonly addr: string } {
  if (index < DIRECT_NICS) return { bus: "pci.0", addr: hex(FIRST_NIC_SLOT + index) };
  const beyond = index - DIRECT_NICS;
  return { bus: `bridge${Math.floor(beyond / NICS_A_BRIDGE)}`, addr: hex(1 + (beyond % NICS_A_BRIDGE)) };
}

/** The bridges that as many nics need. */
export function bridgesFor(nics: number): number {
  return Math.max(0, Math.ceil((nics - DIRECT_NICS) / NICS_A_BRIDGE));
}

/** How many nics a machine can come to have while it runs. */
export function roomForNics(config: VmConfig): number {
  const wanted = Math.max(config.mostNics ?? 0, ...config.nics.map(({ index }) => index + 1));
  return DIRECT_NICS + bridgesFor(wanted) * NICS_A_BRIDGE;
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

/** @throws YardError `vm.bad-config` */
export function checkConfig(config: VmConfig): void {
  const problem = problemOf(config);
  if (problem !== undefined) throw new YardError("vm.bad-config", `the virtual machine ${config.name}: ${problem}`);
}

function problemOf(config: VmConfig): string | undefined {
  const { memory, cpus, disks, isos, seed, nics, kernel } = config;
  if (!(Number.isInteger(memory) && memory >= 1 && memory <= MOST_MEMORY))
    return `${memory} MiB of memory are not 1 to ${MOST_MEMORY}`;
  if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= MOST_CPUS))
    return `${cpus} processors are not 1 to ${MOST_CPUS}`;
  if (disks.length > MOST_DISKS) return `${disks.length} disks are more than ${MOST_DISKS}`;
  if (isos.length + (seed === undefined ? 0 : 1) > MOST_ISOS)
    return `more than ${MOST_ISOS} optical media, the seed among them`;
  if (disks.length === 0 && isos.length === 0 && kernel === undefined)
    return "it has nothing to boot from: no disk, no kernel, no ISO image";
  const paths = [...disks.map(({ file }) => file), ...isos, kernel?.image, kernel?.initrd].filter(
    (path) => path !== undefined,
  );
  const bad = paths.find((path) => !path.startsWith("/") || path.includes("\0"));
  if (bad !== undefined) return `the path ${JSON.stringify(bad)} does not begin with a slash`;
  if (nics.length > MOST_NICS || (config.mostNics ?? 0) > MOST_NICS) return `more than ${MOST_NICS} nics`;
  if (new Set(nics.map(({ index }) => index)).size < nics.length) return "two nics have the same number";
  return nics.map(problemOfNic).find((text) => text !== undefined);
}

function problemOfNic({ index, tap }: VmNic): string | undefined {
  if (!(Number.isInteger(index) && index >= 0 && index < MOST_NICS))
    return `a nic's number ${index} is not 0 to ${MOST_NICS - 1}`;
  return tap === "" ? `the nic ${index} has no tap device` : undefined;
}

/** QEMU's own names for what belongs to a nic. */
export function nicIds(index: number): { readonly device: string; readonly netdev: string } {
  return { device: `nic${index}`, netdev: `net${index}` };
}

/** The arguments of `-device` and `device_add`. */
export function nicDevice(nic: VmNic): Readonly<Record<string, unknown>> {
  const { device, netdev } = nicIds(nic.index);
  const off = nic.offloads ? {} : Object.fromEntries(OFFLOADS.map((name) => [name, false]));
  const mtu = nic.mtu === undefined || nic.mtu === ETHERNET_MTU ? {} : { host_mtu: nic.mtu };
  // Without a boot ROM, which would be the only one and cost a second at each boot.
  return {
    driver: "virtio-net-pci",
    id: device,
    netdev,
    mac: nic.mac,
    romfile: "",
    ...pciAddress(nic.index),
    ...(nic.index < NICS_WITH_VECTORS ? {} : { vectors: 0 }),
    ...mtu,
    ...off,
  };
}

const ETHERNET_MTU = 1500;

/** What virtio-net leaves to the other side, each direction. */
const OFFLOADS = [
  ...["csum", "gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo"],
  ...["guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo"],
];

/** Files and sockets of a machine, by the descriptors that its QEMU starts with. */
export interface Descriptors {
  readonly control: number;
  readonly events: number;
  readonly status: number;
  readonly console: number;
  readonly agent: number | undefined;
  readonly consoleLog: number;
  /** By number of the nic. */
  readonly taps: ReadonlyMap<number, number>;
  readonly disks: readonly (readonly OpenLayer[])[];
  /** The seed last. */
  readonly isos: readonly number[];
  /** Paths, as a kernel is read by its name. */
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
}

export interface OpenLayer extends Pick<ImageLayer, "format"> {
  readonly descriptor: number;
}

/** What a machine's first writable disk is called in the block layer, `disk0`. */
export function diskNode(index: number): string {
  return `disk${index}`;
}

/** QEMU's arguments. It needs no right to any file: all that it works on is open already. */
export function qemuArguments(
  config: VmConfig,
  uuid: string,
  accelerator: Accelerator,
  open: Descriptors,
): readonly string[] {
  const { memory, cpus, nics, kernel } = config;
  const machine = accelerator.name === "kvm" ? ["kvm", "host"] : ["tcg", "max"];
  const files = new FileSets();
  const args = [
    ...["-name", `guest=${config.name.replaceAll(",", ",,")}`, "-uuid", uuid],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-S"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-machine", `pc,accel=${machine[0]}`, "-cpu", `${machine[1]}`, "-m", `${memory}M`, "-smp", String(cpus)],
    ...monitor("control", open.control),
    ...monitor("events", open.events),
    ...monitor("status", open.status),
    ...[
      "-chardev",
      `socket,id=console,fd=${open.console},server=on,wait=off,logfile=${files.add(open.consoleLog)},logappend=on`,
    ],
    ...["-serial", "chardev:console"],
    ...["-object", "rng-builtin,id=random", ...device({ driver: "virtio-rng-pci", rng: "random", addr: "0x3" })],
  ];
  if (open.agent !== undefined)
    args.push(
      ...["-chardev", `socket,id=agent,fd=${open.agent},server=on,wait=off`],
      ...device({ driver: "virtio-serial-pci", id: "serial", addr: "0x2" }),
      ...device({ driver: "virtserialport", bus: "serial.0", chardev: "agent", name: "org.qemu.guest_agent.0" }),
    );
  for (const [index, layers] of open.disks.entries()) args.push(...disk(index, layers, open.disks.length > 1, files));
  for (const [index, descriptor] of open.isos.entries())
    args.push(...optical(index, descriptor, open.disks.length, files));
  const bridges = bridgesFor(roomForNics(config));
  for (let n = 0; n < bridges; n++)
    args.push(
      ...device({ driver: "pci-bridge", id: `bridge${n}`, chassis_nr: n + 1, addr: hex(FIRST_BRIDGE_SLOT + n) }),
    );
  for (const nic of nics) {
    const descriptor = open.taps.get(nic.index);
    if (descriptor === undefined) continue;
    args.push("-netdev", `tap,id=${nicIds(nic.index).netdev},fd=${descriptor}`, ...device(nicDevice(nic)));
  }
  if (open.kernel !== undefined) {
    args.push("-kernel", open.kernel);
    if (open.initrd !== undefined) args.push("-initrd", open.initrd);
    if (kernel?.append !== undefined) args.push("-append", kernel.append);
  }
  if (config.rebootEnds === true) args.push("-no-reboot");
  return [...files.arguments, ...args];
}

function monitor(name: string, descriptor: number): string[] {
  const socket = `socket,id=${name},fd=${descriptor},server=on,wait=off`;
  return ["-chardev", socket, "-mon", `chardev=${name},mode=control`];
}

function device(properties: Readonly<Record<string, unknown>>): string[] {
  return ["-device", JSON.stringify(properties)];
}

/** Files that are open already, under the names by which QEMU opens them. */
class FileSets {
  readonly arguments: string[] = [];
  #last = 0;

  add(descriptor: number): string {
    const set = ++this.#last;
    this.arguments.push("-add-fd", `fd=${descriptor},set=${set}`);
    return `/dev/fdset/${set}`;
  }
}

function disk(index: number, layers: readonly OpenLayer[], several: boolean, files: FileSets): string[] {
  const [top, ...below] = layers;
  if (top === undefined) return [];
  // Each layer is named, so that none is opened because an image says so.
  const backing = below.reduceRight<Record<string, unknown> | null>(
    (under, layer) => node(layer, true, under, files),
    null,
  );
  const block = { "node-name": diskNode(index), discard: "unmap", ...node(top, false, backing, files) };
  const slot = several ? { addr: `0x4.${index}`, multifunction: index === 0 } : { addr: "0x4" };
  return [
    ...["-blockdev", JSON.stringify(block)],
    ...device({ driver: "virtio-blk-pci", drive: diskNode(index), bootindex: index + 1, ...slot }),
  ];
}

function node(
  layer: OpenLayer,
  readOnly: boolean,
  backing: Readonly<Record<string, unknown>> | null,
  files: FileSets,
): Record<string, unknown> {
  const file = { driver: "file", filename: files.add(layer.descriptor) };
  const only = { "read-only": readOnly };
  // Formats that have no such thing know no such word.
  return {
    driver: layer.format,
    ...only,
    file: { ...file, ...only },
    ...(layer.format === "qcow2" ? { backing } : {}),
  };
}

/** IDE, which every system knows without a driver of its own. */
function optical(index: number, descriptor: number, disks: number, files: FileSets): string[] {
  const name = `iso${index}`;
  const file = { driver: "file", filename: files.add(descriptor), "read-only": true };
  return [
    ...["-blockdev", JSON.stringify({ driver: "raw", "node-name": name, "read-only": true, file })],
    ...device({
      driver: "ide-cd",
      drive: name,
      bus: `ide.${index >> 1}`,
      unit: index & 1,
      bootindex: disks + index + 1,
    }),
  ];
}
