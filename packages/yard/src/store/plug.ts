/** Nics plugged into lans and out of them, as cables are: the nic stays, and the lan is there while somebody is on it. */
import { parseCidr, parseIp, parseMac, YardError } from "@switchyard/base";
import type { NetworkSpec, NicSpec } from "../model/types.ts";
import type { ChangeOptions } from "./change.ts";
import { type Commanded, command, ownRow } from "./command.ts";
import { parseNicConfig } from "./config.ts";
import type { Place } from "./draft.ts";
import { PLUGGED } from "./implied.ts";
import { parseMaking } from "./making.ts";
import type { Store } from "./store.ts";
import type { NicRow } from "./switchyard.gen.ts";

/**
 * Plugs nic `index` of a node into a network, or pulls it out where that is undefined. What else the nic is stays. A
 * network that the yard does not have is made as the spec says, and goes with the last nic on it.
 *
 * @throws YardError `node.unknown`, `nic.unknown`, `nic.plugged`, and those of a nic that moves
 */
export function plugNic(
  store: Store,
  node: string,
  index: number,
  network: NetworkSpec | undefined,
  place: Place,
  options?: ChangeOptions,
): Promise<Commanded> {
  const what = `${network === undefined ? "unplug" : "plug"} ${node}:${index}`;
  return command(store, what, place, options, (change) => {
    const nics = store.db.table("Nic");
    const networks = store.db.table("Network");
    const owner = ownRow(store, node);
    const nic = [...owner.nics].map((uuid) => nics.get(uuid)).find((it) => it?.index === index);
    if (nic === undefined) throw new YardError("nic.unknown", `node ${node} has no nic ${index}`);
    const present = nic.network === undefined ? undefined : networks.get(nic.network);
    const elsewhere = nic.link !== undefined ? "a link" : present?.name;
    if (network !== undefined && elsewhere !== undefined && elsewhere !== network.name)
      throw new YardError("nic.plugged", `${node}:${nic.name} is on ${elsewhere}`, {
        hint: "pull it out there first",
      });
    const row = network && networks.find({ name: network.name });
    if (network !== undefined && row === undefined) {
      change.networks.write(network, undefined, undefined);
      change.note({ table: "Network", name: network.name, entries: { [PLUGGED]: "" } });
    }
    const addressed = (row?.cidr.size ?? network?.cidr.length ?? 0) > 0;
    const attached = change.nodes.attach(owner, { ...specOf(nic, addressed), network: network?.name });
    const before = attached?.before;
    if (network === undefined || before === undefined) return undefined;
    return (undo) => {
      const now = nics.get(nic._uuid);
      if (now !== undefined) undo.nodes.restore(now, before);
    };
  });
}

/** @param addressed whether it gets an address where it comes to */
function specOf(row: NicRow, addressed: boolean): NicSpec {
  return {
    ...parseNicConfig(row.config, `Nic ${row.name}`),
    name: row.name,
    network: undefined,
    link: undefined,
    mac: parseMac(row.mac),
    ip: addressed ? undefined : [...row.addresses].map(parseCidr),
    slot: row.slot,
    mtu: row.mtu,
    vlan: row.tag,
    trunks: [...row.trunks],
    spy: row.spy,
  };
}

/**
 * Has a lan speak the Rapid Spanning Tree Protocol, or no longer.
 *
 * @throws YardError `network.unknown`, `network.not-lan`
 */
export function setRstp(store: Store, network: string, on: boolean, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `rstp of ${network}`, undefined, options, (change) => {
    const table = store.db.table("Network");
    const row = table.find({ name: network });
    if (row === undefined) throw new YardError("network.unknown", `the yard has no network ${network}`);
    const { name, mtu } = row;
    const making = parseMaking(row);
    if (making.type !== "lan") throw new YardError("network.not-lan", `the network ${name} is a ${making.type}`);
    const common = { name, mtu, cidr: [...row.cidr].map(parseCidr), gateway: [...row.gateway].map(parseIp) };
    change.networks.write({ ...common, type: "lan", ...(on ? { rstp: true } : {}) }, row, row.lab);
    return (undo) => {
      const now = table.get(row._uuid);
      if (now !== undefined) undo.networks.write({ ...common, ...making }, now, now.lab);
    };
  });
}

/**
 * Takes all nodes, networks and links away, of labs and of none; containers that other programs run are theirs.
 *
 * @throws YardError `network.in-use` where such a one is on a network
 */
export function clearYard(store: Store, options?: ChangeOptions): Promise<Commanded> {
  return command(store, "clear the yard", undefined, options, (change) => {
    const { db } = store;
    for (const node of db.table("Node")) if (node.kind !== "guest") change.nodes.delete(node);
    for (const network of db.table("Network")) change.networks.delete(network);
    for (const table of ["Link", "Lab"] as const) for (const row of db.table(table)) change.delete(table, row._uuid);
    return undefined;
  });
}
