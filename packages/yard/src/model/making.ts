/** How networks of the different types are made: the keys that only one type has. */
import { parseCidr, parseIp, YardError } from "@switchyard/base";
import { NAME, NIC_NAME } from "./fields.ts";
import { BACKPLANE, GROUP_PORT, VXBACKEND } from "./implied.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { NetworkFile } from "./schema.ts";
import type { NetworkMaking, NetworkSpec, NetworkType } from "./types.ts";
import { readNwid } from "./zerotier.ts";

/** The assigned UDP port of VXLAN (RFC 7348). */
const VXLAN_PORT = 4789;

/** The keys of each type beside those that all have. */
const KEYS = {
  lan: ["rstp"],
  nat: [],
  bridge: ["bridge"],
  macvlan: ["parent"],
  zerotier: ["nwid"],
  passthrough: ["parent"],
  vlan: ["id", "master", "bridge"],
  vxlan: ["id", "peers", "port", "master", "address", "bridge"],
} as const satisfies Record<NetworkType, readonly (keyof NetworkFile)[]>;

/** Reads the type of a network and what belongs to it; where that is wrong it is as good as can be guessed. */
export function readMaking(name: string, written: NetworkFile, reading: Reading): NetworkMaking {
  const path = ["networks", name];
  const type = written.type ?? "lan";
  refuseOthers(name, type, written, reading);
  switch (type) {
    case "lan":
      return { type, ...(written.rstp ? { rstp: true } : {}) };
    case "nat":
      return { type };
    case "bridge":
      return { type, bridge: readPresentBridge(name, written.bridge, reading) };
    case "zerotier":
      return { type, nwid: readNwid(name, written, reading) };
    case "macvlan":
    case "passthrough":
      return { type, parent: readParent(name, type, written.parent, reading) };
    case "vlan":
      return {
        type,
        id: readId(name, type, written.id, 0, 4094, reading),
        master: readMaster(written.master, path, reading) ?? BACKPLANE,
        bridge: readBridge(written.bridge, path, reading),
      };
    case "vxlan":
      return {
        type,
        id: readId(name, type, written.id, 1, 0xffffff, reading),
        ...readReach(written, path, reading),
        bridge: readBridge(written.bridge, path, reading),
      };
  }
}

/** The network that is there without being declared: a nat whose subnet is chosen when it is first attached to. */
export const DEFAULT_NETWORK: NetworkSpec = { name: "default", type: "nat", cidr: [], gateway: [], mtu: undefined };

/** The types of networks that nodes of a kind have no nics on. */
const DENIED: Readonly<Record<string, readonly NetworkType[]>> = {
  // On a macvlan it has a macvtap.
  vm: ["passthrough", "zerotier"],
  guest: ["macvlan", "passthrough", "zerotier"],
  a2b: ["macvlan", "passthrough", "zerotier"],
  tap: ["macvlan", "passthrough", "zerotier"],
  nat: ["macvlan", "passthrough", "zerotier"],
  c2c: ["macvlan", "passthrough", "zerotier"],
  phy: ["macvlan", "passthrough", "zerotier"],
};

/** Why a node of that kind cannot have a nic on a network of that type. */
export function nicDenial(kind: string, type: NetworkType, holder: string): YardError | undefined {
  if (!DENIED[kind]?.includes(type)) return undefined;
  return new YardError("nic.type-refused", `${holder} cannot be on a ${type}: its node is a ${kind}`, {
    hint: "namespaces and containers can; give it a network of another type",
  });
}

/** Only what says how a network is made. */
export function makingOf(network: NetworkMaking): NetworkMaking {
  switch (network.type) {
    case "lan":
      return { type: network.type, ...(network.rstp ? { rstp: true } : {}) };
    case "nat":
      return { type: network.type };
    case "bridge":
      return { type: network.type, bridge: network.bridge };
    case "zerotier":
      return { type: network.type, nwid: network.nwid };
    case "macvlan":
    case "passthrough":
      return { type: network.type, parent: network.parent };
    case "vlan": {
      const { type, id, master, bridge } = network;
      return { type, id, master, bridge };
    }
    case "vxlan": {
      const { type, id, peers, port, master, address, bridge } = network;
      return { type, id, peers, port, master, address, bridge };
    }
  }
}

/** The name of a network's bridge where that does not come from the network's own name. */
export function bridgeOf(network: NetworkMaking): string | undefined {
  switch (network.type) {
    case "lan":
    case "nat":
    case "macvlan":
    case "passthrough":
    case "zerotier":
      return undefined;
    case "bridge":
      return network.bridge;
    case "vlan":
      return network.bridge ?? `vlbr${network.id}`;
    case "vxlan":
      return network.bridge ?? `vxlbr${network.id}`;
  }
}

/** Why two networks, or one, cannot be made as they are declared. */
export interface MakingConflict {
  /** The network that is to be changed. */
  readonly network: string;
  /** The key that says it. */
  readonly key: "id" | "bridge" | "master" | "parent";
  readonly error: YardError;
}

type Named = NetworkMaking & { readonly name: string };

/** What stands in the way of making these networks in one switch; of two the later is told. */
export function makingConflicts(networks: readonly Named[]): MakingConflict[] {
  const conflicts: MakingConflict[] = [];
  const bridges = new Map<string, string>();
  const ids = new Map<string, string>();
  const parents = new Map<string, string>();
  const byName = new Map(networks.map((network) => [network.name, network]));
  for (const network of networks) {
    if (network.type === "macvlan" || network.type === "passthrough") {
      const other = parents.get(network.parent);
      parents.set(network.parent, other ?? network.name);
      if (other === undefined) continue;
      const message = `network "${network.name}" has the NIC ${network.parent}, which network "${other}" has already`;
      const error = new YardError("network.parent-taken", message, { hint: "attach the nics to that network" });
      conflicts.push({ network: network.name, key: "parent", error });
    }
    const bridge = bridgeOf(network);
    if (bridge === undefined) continue;
    const { name, type } = network;
    const number = type === "vlan" || type === "vxlan" ? `${type} ${network.id}` : undefined;
    const twin = number === undefined ? undefined : ids.get(number);
    const other = bridges.get(bridge);
    if (twin !== undefined) {
      const message = `network "${name}" is ${number}, which network "${twin}" is already`;
      const hint = "a switch has one bridge for each; attach the nics to that network";
      conflicts.push({ network: name, key: "id", error: new YardError("network.bridge-taken", message, { hint }) });
    } else if (other !== undefined) {
      const message = `network "${name}" has the bridge ${bridge}, which network "${other}" has already`;
      const hint = "attach the nics to that network, or give one of them another `bridge`";
      conflicts.push({ network: name, key: "bridge", error: new YardError("network.bridge-taken", message, { hint }) });
    }
    if (number !== undefined) ids.set(number, twin ?? name);
    bridges.set(bridge, other ?? name);
    if (isOwnMaster(network, byName)) {
      const message = `network "${name}" would be its own master`;
      conflicts.push({ network: name, key: "master", error: new YardError("network.master-loop", message) });
    }
  }
  return conflicts;
}

/** A ring of patches would carry a broadcast for ever. */
function isOwnMaster(network: Named, networks: ReadonlyMap<string, Named>): boolean {
  const byBridge = new Map([...networks.values()].map((it) => [bridgeOf(it) ?? it.name, it]));
  const seen = new Set<Named>();
  for (let at: Named | undefined = network; at !== undefined && !seen.has(at); ) {
    seen.add(at);
    const master: string | undefined = at.type === "vlan" || at.type === "vxlan" ? at.master : undefined;
    if (master === undefined) return false;
    at = networks.get(master) ?? byBridge.get(master);
    if (at === network) return true;
  }
  return false;
}

/** Tells {@link makingConflicts} where they are written. */
export function checkMakings(networks: readonly Named[], reading: Reading): void {
  const sure = networks.filter(({ name }) =>
    ["id", "bridge", "parent"].every((key) => !reading.unsure(["networks", name, key])),
  );
  for (const { network, key, error } of makingConflicts(sure))
    reading.places.report(["networks", network, key], () => error);
}

function refuseOthers(name: string, type: NetworkType, written: NetworkFile, reading: Reading): void {
  const told = new Set<string>();
  for (const [owner, keys] of Object.entries(KEYS))
    for (const key of keys) {
      const known: readonly string[] = KEYS[type];
      if (written[key] === undefined || known.includes(key) || told.has(key)) continue;
      told.add(key);
      reading.places.reportKey(
        ["networks", name, key],
        () =>
          new YardError("network.other-type", `"${key}" is for networks of type ${owner}, and "${name}" is a ${type}`, {
            hint: `take it out, or write type: ${owner}`,
          }),
      );
    }
}

function readId(
  name: string,
  type: NetworkType,
  id: number | undefined,
  least: number,
  most: number,
  reading: Reading,
): number {
  const path = ["networks", name, "id"];
  if (reading.unsure(path)) return least;
  if (id !== undefined && id >= least && id <= most) return id;
  return (
    reading.parse(path, id, () => {
      if (id === undefined)
        throw new YardError("network.id-missing", `network "${name}" of type ${type} needs an "id"`, {
          hint: `a number from ${least} to ${most}`,
        });
      throw new YardError("lab.out-of-range", `the "id" of a ${type} is from ${least} to ${most}, not ${id}`);
    }) ?? least
  );
}

/** How a VXLAN reaches the other hosts. */
function readReach(written: NetworkFile, path: Path, reading: Reading) {
  const peers = [...new Set(reading.each([...path, "peers"], written.peers, parseIp).map(({ value }) => value))];
  const address =
    written.address === undefined ? undefined : reading.parse([...path, "address"], written.address, parseCidr);
  const named = written.peers !== undefined && written.peers.length > 0;
  for (const key of ["master", "address"] as const)
    if (named && written[key] !== undefined)
      reading.places.reportKey(
        [...path, key],
        () =>
          new YardError("network.two-ways", `"${key}" is for a vxlan without "peers", and this one has them`, {
            hint: "take one of the two out",
          }),
      );
  const master = named ? undefined : (readMaster(written.master, path, reading) ?? VXBACKEND);
  const port = written.port ?? (named ? VXLAN_PORT : GROUP_PORT);
  return { peers, port, master, address: named ? undefined : address };
}

/** The name of a bridge that is there, which may be any that the kernel takes. */
const PRESENT = /^[A-Za-z0-9_.~-]{1,15}$/;

function readPresentBridge(name: string, bridge: string | undefined, reading: Reading): string {
  const path = ["networks", name, "bridge"];
  if (reading.unsure(path)) return "";
  const read = reading.parse(path, bridge, (text) => {
    if (text === undefined)
      throw new YardError("network.bridge-missing", `network "${name}" of type bridge needs a "bridge"`, {
        hint: "the name of a bridge of the switch, as `yard ovs list` tells it",
      });
    if (PRESENT.test(text)) return text;
    throw new YardError("network.bad-bridge", `"${text}" cannot be the name of a bridge`);
  });
  return read ?? "";
}

function readParent(name: string, type: NetworkType, parent: string | undefined, reading: Reading): string {
  const path = ["networks", name, "parent"];
  if (reading.unsure(path)) return "";
  const read = reading.parse(path, parent, (text) => {
    if (text === undefined)
      throw new YardError("network.parent-missing", `network "${name}" of type ${type} needs a "parent"`, {
        hint: "the name of a NIC of the host, as `ip link` tells it",
      });
    return readNicOfHost(text);
  });
  return read ?? "";
}

/** @throws YardError `network.bad-parent` */
export function readNicOfHost(text: string): string {
  if (PRESENT.test(text)) return text;
  throw new YardError("network.bad-parent", `"${text}" cannot be the name of a NIC`, {
    hint: "`ip link` lists those that the host has",
  });
}

function readMaster(master: string | undefined, path: Path, reading: Reading): string | undefined {
  return reading.parse([...path, "master"], master, (text) => {
    if (text === undefined || NAME.test(text) || PRESENT.test(text)) return text;
    throw new YardError("network.bad-bridge", `"${text}" can be the name of neither a network nor a bridge`);
  });
}

function readBridge(bridge: string | undefined, path: Path, reading: Reading): string | undefined {
  return reading.parse([...path, "bridge"], bridge, (text) => {
    if (text === undefined || NIC_NAME.test(text)) return text;
    throw new YardError("network.bad-bridge", `"${text}" cannot be the name of a bridge`, {
      hint: "up to 15 letters, digits, `-`, `_` and `.`, the first a letter or digit",
    });
  });
}
