/**
 * Bridges of the kernel's own, made by command. Each function is one transaction; what comes of it is waited for as of
 * any other (`waitApplied`, with the bridge's name in the scope), and withdrawn where it failed.
 */
import { addressOf, contains, type Ip, type Mac, networkOf, overlaps, parseCidr, YardError } from "@switchyard/base";
import { viewNamespace } from "@switchyard/linux";
import type { BridgeSpec } from "../model/bridges.ts";
import { bridgeOf } from "../model/making.ts";
import { serviceColumn, serviceOf } from "./bridge-rows.ts";
import type { ChangeOptions } from "./change.ts";
import { type Commanded, command } from "./command.ts";
import type { Place } from "./draft.ts";
import { parseMaking } from "./making.ts";
import type { Store } from "./store.ts";
import type { BridgeRow } from "./switchyard.gen.ts";

/**
 * Declares a bridge.
 *
 * @param spec as `readBridge` has checked it
 * @throws YardError `bridge.name-taken`: the yard or the host has a link of that name; `bridge.overlaps-host`;
 * OvsdbError
 */
export function createBridge(
  store: Store,
  spec: BridgeSpec,
  place: Place,
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `create bridge ${spec.name}`, place, options, (change) => {
    const { name, mac, service, nat } = spec;
    if (store.db.table("Bridge").find({ name }))
      throw new YardError("bridge.name-taken", `the bridge ${name} exists already`, {
        hint: `remove it first: yard bridge delete ${name}`,
      });
    checkHost(store, spec);
    const uuid = change.insertBridge({
      name,
      mac: mac ?? "",
      host: change.host(place.host),
      service: serviceColumn(service),
      nat,
    });
    return (undo) => {
      if (store.db.table("Bridge").get(uuid)) undo.deleteBridge(uuid);
    };
  });
}

/**
 * @throws YardError `bridge.unknown`; `bridge.in-use` while a nic of a node is on it; OvsdbError
 */
export function deleteBridge(store: Store, name: string, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `delete bridge ${name}`, undefined, options, (change) => {
    const row = bridgeRow(store, name);
    const user = userOf(store, name);
    if (user !== undefined)
      throw new YardError("bridge.in-use", `bridge ${name} is still used by ${user}`, {
        hint: `take that nic away first: yard detach ${user}`,
      });
    change.deleteBridge(row._uuid);
    return undefined;
  });
}

/**
 * Makes a NIC of the host a member of a bridge.
 *
 * @throws YardError `bridge.unknown`; `bridge.nic-taken`: it is a member of another bridge of the yard; OvsdbError.
 * What the host says against it is told by the agent: see `MemberState`
 */
export function addBridgeNic(store: Store, bridge: string, nic: string, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `add ${nic} to bridge ${bridge}`, undefined, options, (change) => {
    const row = bridgeRow(store, bridge);
    const other = [...store.db.table("Bridge")].find(({ members, name }) => members.has(nic) && name !== bridge);
    if (other !== undefined)
      throw new YardError("bridge.nic-taken", `${nic} is a member of bridge ${other.name} already`, {
        hint: `take it away there first: yard bridge nic-remove ${other.name} ${nic}`,
      });
    const had = row.members.has(nic);
    change.updateBridge(row, { members: new Set([...row.members, nic]) });
    return (undo) => {
      const now = store.db.table("Bridge").get(row._uuid);
      if (now && !had) undo.updateBridge(now, { members: new Set([...now.members].filter((it) => it !== nic)) });
    };
  });
}

/** @throws YardError `bridge.unknown`, `bridge.nic-unknown`; OvsdbError */
export function removeBridgeNic(
  store: Store,
  bridge: string,
  nic: string,
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `remove ${nic} from bridge ${bridge}`, undefined, options, (change) => {
    const row = bridgeRow(store, bridge);
    if (!row.members.has(nic))
      throw new YardError("bridge.nic-unknown", `${nic} is no member of bridge ${bridge}`, {
        hint: row.members.size === 0 ? "it has none" : `it has ${[...row.members].sort().join(", ")}`,
      });
    change.updateBridge(row, { members: new Set([...row.members].filter((it) => it !== nic)) });
    return undefined;
  });
}

/**
 * Keeps an address for one MAC: whoever has it is leased that address, and nobody else.
 *
 * @throws YardError `bridge.unknown`, `bridge.no-leases`, `bridge.host-outside`, `bridge.host-taken`; OvsdbError
 */
export function addBridgeHost(
  store: Store,
  bridge: string,
  ip: Ip,
  mac: Mac,
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `pin ${ip} on bridge ${bridge}`, undefined, options, (change) => {
    const row = bridgeRow(store, bridge);
    const service = serviceOf(row);
    if (service.mode !== "dnsmasq")
      throw new YardError("bridge.no-leases", `bridge ${bridge} gives out no addresses`, {
        hint: "only one of mode dnsmasq does",
      });
    if (!contains(service.cidr, ip) || addressOf(service.cidr) === ip)
      throw new YardError("bridge.host-outside", `${ip} is no host's address of ${networkOf(service.cidr)}`);
    const twin = [...row.pins].find(([address, owner]) => (address === ip) !== (owner === mac));
    if (twin !== undefined)
      throw new YardError("bridge.host-taken", `${twin[0]} is kept for ${twin[1]} on bridge ${bridge} already`);
    const had = row.pins.has(ip);
    change.updateBridge(row, { pins: new Map([...row.pins, [ip, mac]]) });
    return (undo) => {
      const now = store.db.table("Bridge").get(row._uuid);
      if (now && !had) undo.updateBridge(now, { pins: new Map([...now.pins].filter(([address]) => address !== ip)) });
    };
  });
}

function bridgeRow(store: Store, name: string): BridgeRow {
  const row = store.db.table("Bridge").find({ name });
  if (row === undefined)
    throw new YardError("bridge.unknown", `the yard has no bridge ${name}`, { hint: "`yard bridge list` shows them" });
  return row;
}

/** A nic that is on a bridge, `web:eth0`. */
function userOf(store: Store, bridge: string): string | undefined {
  const networks = new Set(
    [...store.db.table("Network")]
      .filter((row) => row.type === "bridge" && bridgeOf(parseMaking(row)) === bridge)
      .map(({ _uuid }) => _uuid),
  );
  const nics = store.db.table("Nic");
  for (const node of store.db.table("Node"))
    for (const uuid of node.nics) {
      const nic = nics.get(uuid);
      if (nic?.network !== undefined && networks.has(nic.network)) return `${node.name}:${nic.name}`;
    }
  return undefined;
}

/** What the host has that is in the way of a bridge: asked before anything is written, and by the agent once more. */
function checkHost(store: Store, { name, service }: BridgeSpec): void {
  const { links } = viewNamespace("self");
  if (links.has(name))
    throw new YardError("bridge.name-taken", `the host has a link ${name} already`, { hint: "choose another name" });
  if (service.mode === "none") return;
  const cidr = service.cidr;
  const ofHost = [...links.values()].flatMap((link) =>
    link.addresses.map(({ address }) => ({ holder: link.name, address })),
  );
  const ofYard = [...store.db.table("Bridge")].flatMap((row) => {
    const other = serviceOf(row);
    return other.mode === "none" ? [] : [{ holder: `bridge ${row.name}`, address: other.cidr }];
  });
  const ofNetworks = [...store.db.table("Network")].flatMap((row) =>
    row.gateway.size === 0
      ? []
      : [...row.cidr].map((text) => ({ holder: `network ${row.name}`, address: parseCidr(text) })),
  );
  const other = [...ofHost, ...ofYard, ...ofNetworks].find(({ address }) => overlaps(address, cidr));
  if (other !== undefined)
    throw new YardError("bridge.overlaps-host", `${cidr} overlaps ${other.address}, which ${other.holder} has`, {
      hint: "take another subnet",
    });
}
