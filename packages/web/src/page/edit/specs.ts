/** What can be added, and how a lab file says it. */

/** A word of a lab file that is asked for. */
export interface Asked {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly required?: boolean;
}

export const KINDS = [
  { kind: "netns", title: "bare namespace", fields: [] },
  {
    kind: "container",
    title: "container",
    fields: [
      { name: "runtime", label: "Runtime", hint: "docker, podman or oci" },
      { name: "image", label: "Image", hint: "busybox", required: true },
      { name: "command", label: "Command", hint: "sleep 1000000" },
    ],
  },
  {
    kind: "vm",
    title: "virtual machine",
    fields: [{ name: "image", label: "Disk image", hint: "debian.qcow2", required: true }],
  },
  { kind: "a2b", title: "impaired line between two networks", fields: [] },
  { kind: "tap", title: "interface of the host", fields: [] },
  {
    kind: "nat",
    title: "way out through the host",
    fields: [{ name: "cidr", label: "Subnet", hint: "10.7.0.0/24", required: true }],
  },
  { kind: "phy", title: "NIC of the host", fields: [{ name: "parent", label: "NIC", hint: "eth1", required: true }] },
  {
    kind: "c2c",
    title: "link to another yard",
    fields: [
      { name: "yard", label: "Other yard", hint: "site2", required: true },
      { name: "node", label: "Node there, if its name is another" },
    ],
  },
] as const satisfies readonly { readonly kind: string; readonly title: string; readonly fields: readonly Asked[] }[];
export type Kind = (typeof KINDS)[number]["kind"];

export const TYPES = [
  { type: "lan", title: "bridge of its own", fields: [] },
  { type: "nat", title: "the same, with the host as its way out", fields: [] },
  {
    type: "vlan",
    title: "VLAN of another bridge",
    fields: [
      { name: "id", label: "VLAN", hint: "100", required: true },
      { name: "master", label: "Master bridge", hint: "trunk", required: true },
    ],
  },
  {
    type: "vxlan",
    title: "VXLAN to other hosts",
    fields: [
      { name: "id", label: "VNI", hint: "4200", required: true },
      { name: "peers", label: "Other hosts' addresses", hint: "192.0.2.7 192.0.2.8", required: true },
    ],
  },
  {
    type: "bridge",
    title: "bridge that is there",
    fields: [{ name: "bridge", label: "Bridge", hint: "br0", required: true }],
  },
  {
    type: "macvlan",
    title: "behind a NIC of the host",
    fields: [{ name: "parent", label: "NIC", hint: "eth1", required: true }],
  },
] as const satisfies readonly { readonly type: string; readonly title: string; readonly fields: readonly Asked[] }[];
export type NetworkType = (typeof TYPES)[number]["type"];

/** A node as a lab file says it. @param asked what was answered; empty: nothing */
export function nodeSpec(kind: Kind, asked: (name: string) => string): object {
  const networks = (kind === "a2b" ? ["network", "network2"] : ["network"]).map(asked).filter((name) => name !== "");
  const nics = networks.length > 0 ? { nics: networks } : {};
  switch (kind) {
    case "container": {
      const words = asked("command")
        .split(/\s+/)
        .filter((word) => word !== "");
      const runtime = asked("runtime");
      return {
        kind,
        ...(runtime === "" ? {} : { runtime }),
        image: asked("image"),
        ...(words.length === 0 ? {} : { command: words }),
        ...nics,
      };
    }
    case "vm":
      return { kind, image: asked("image"), ...nics };
    case "nat":
      return { kind, cidr: asked("cidr"), ...nics };
    case "phy":
      return { kind, parent: asked("parent"), ...nics };
    case "c2c":
      return { kind, yard: asked("yard"), ...(asked("node") === "" ? {} : { node: asked("node") }), ...nics };
    case "netns":
    case "a2b":
    case "tap":
      return { kind, ...nics };
  }
}

/** A network as a lab file says it. */
export function networkSpec(type: NetworkType, asked: (name: string) => string): object {
  const cidr = asked("cidr") === "" ? {} : { cidr: asked("cidr") };
  switch (type) {
    case "lan":
      return cidr;
    case "nat":
      return { type, ...cidr };
    case "vlan":
      return { type, id: Number(asked("id")), master: asked("master"), ...cidr };
    case "vxlan":
      return { type, id: Number(asked("id")), peers: asked("peers").split(/[\s,]+/), ...cidr };
    case "bridge":
      return { type, bridge: asked("bridge"), ...cidr };
    case "macvlan":
      return { type, parent: asked("parent"), ...cidr };
  }
}
