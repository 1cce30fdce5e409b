/** What can be added, and how a lab file says it. */
import { isMap, parseDocument } from "yaml";

/** A word of a lab file that is asked for. */
export interface Asked {
  /** Its key in the lab file. */
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly required?: boolean;
  /** What is written for an answer; default: its text. */
  readonly as?: "number" | "words" | "network";
  /** The only answers that there are; the first is what holds where nothing is said. */
  readonly choices?: readonly string[];
}

interface Choice {
  readonly title: string;
  readonly fields: readonly Asked[];
}

const COUNT: Asked = { name: "count", label: "How many", hint: "1", as: "number" };

export const KINDS = {
  netns: { title: "bare namespace", fields: [COUNT] },
  container: {
    title: "container",
    fields: [
      { name: "runtime", label: "Runtime", choices: ["docker", "podman", "oci"] },
      { name: "image", label: "Image", hint: "busybox", required: true },
      { name: "command", label: "Command", hint: "sleep 1000000" },
      COUNT,
    ],
  },
  vm: {
    title: "virtual machine",
    fields: [
      { name: "image", label: "Disk image", hint: "debian.qcow2" },
      { name: "kernel", label: "Kernel, to boot without a boot loader", hint: "/srv/vmlinuz" },
      { name: "initrd", label: "Its initial RAM disk", hint: "/srv/initrd.img" },
      { name: "append", label: "Its command line", hint: "console=ttyS0" },
      { name: "memory", label: "Memory", hint: "512M" },
      COUNT,
    ],
  },
  a2b: { title: "impaired line between two networks", fields: [] },
  tap: { title: "interface of the host", fields: [] },
  nat: {
    title: "way out through the host",
    fields: [{ name: "cidr", label: "Subnet", hint: "10.7.0.0/24", required: true }],
  },
  phy: {
    title: "NIC of the host",
    fields: [
      { name: "parent", label: "NIC", hint: "eth1; as the node is called" },
      { name: "mode", label: "How", choices: ["absorb", "macvlan"] },
    ],
  },
  c2c: {
    title: "link to another yard",
    fields: [
      { name: "yard", label: "Other yard of this host", hint: "site2" },
      { name: "node", label: "Node there, if its name is another" },
      { name: "peer", label: "Or another host's address", hint: "10.2.0.2" },
      { name: "id", label: "Number of the VXLAN there", hint: "7000", as: "number" },
    ],
  },
} as const satisfies Readonly<Record<string, Choice>>;
export type Kind = keyof typeof KINDS;

const CIDR: Asked = { name: "cidr", label: "Subnet", hint: "10.1.0.0/24" };
const PARENT: Asked = { name: "parent", label: "NIC", hint: "eth1", required: true };

export const TYPES = {
  lan: { title: "bridge of its own", fields: [CIDR] },
  nat: { title: "the same, with the host as its way out", fields: [CIDR] },
  vlan: {
    title: "VLAN of another network or bridge",
    fields: [
      { name: "id", label: "VLAN", hint: "100", required: true, as: "number" },
      { name: "master", label: "Network or bridge that it is one of", hint: "backplane", as: "network" },
      CIDR,
    ],
  },
  vxlan: {
    title: "VXLAN to other hosts",
    fields: [
      { name: "id", label: "VNI", hint: "4200", required: true, as: "number" },
      { name: "peers", label: "Other hosts' addresses", hint: "192.0.2.7 192.0.2.8", as: "words" },
      { name: "master", label: "Or where its multicast goes out", hint: "vxbackend", as: "network" },
      CIDR,
    ],
  },
  bridge: {
    title: "bridge that is there",
    fields: [{ name: "bridge", label: "Bridge", hint: "br0", required: true }, CIDR],
  },
  macvlan: { title: "behind a NIC of the host", fields: [PARENT, CIDR] },
  passthrough: { title: "NIC of the host itself, for one node", fields: [PARENT, CIDR] },
  zerotier: {
    title: "network of ZeroTier",
    fields: [{ name: "nwid", label: "Its number", hint: "8056c2e21c000001", required: true }],
  },
} as const satisfies Readonly<Record<string, Choice>>;
export type NetworkType = keyof typeof TYPES;

/** The fields of what the form offers to plug the node into. */
export function endsOf(kind: Kind): readonly string[] {
  return kind === "a2b" ? ["network", "network2"] : ["network"];
}

/** A node as a lab file says it. @param answered empty: nothing */
export function nodeSpec(kind: Kind, answered: (name: string) => string): object {
  const nics = endsOf(kind)
    .map(answered)
    .filter((name) => name !== "");
  return { kind, ...written(KINDS[kind], answered), ...(nics.length > 0 ? { nics } : {}) };
}

/** A network as a lab file says it. */
export function networkSpec(type: NetworkType, answered: (name: string) => string): object {
  return { ...(type === "lan" ? {} : { type }), ...written(TYPES[type], answered) };
}

/**
 * Further keys as a lab file writes them, each on a line of its own.
 *
 * @throws Error what cannot be read, in words
 */
export function furtherOf(text: string): object {
  const doc = parseDocument(text);
  const [error] = doc.errors;
  if (error !== undefined) throw new Error(error.message.split("\n")[0]);
  if (doc.contents === null) return {};
  if (!isMap(doc.contents)) throw new Error("write key: value, each on a line of its own");
  return doc.toJS();
}

function written({ fields }: Choice, answered: (name: string) => string): object {
  const entries = fields.map(({ name, as, choices }) => {
    const text = answered(name);
    if (text === "" || text === choices?.[0]) return [];
    if (as === "number") return [[name, Number(text)] as const];
    if (as === "words") return [[name, text.split(/[\s,]+/).filter((word) => word !== "")] as const];
    return [[name, text] as const];
  });
  return Object.fromEntries(entries.flat());
}
