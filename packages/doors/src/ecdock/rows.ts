/** What `ec` makes, as networks and nodes of the yard: so they are listed, spied on, captured and impaired as others are. */
import { hostname } from "node:os";
import { networkOf } from "@switchyard/base";
import { OWNER, PURPOSE } from "@switchyard/vswitch";
import { guestNic, guestSpec, type NetworkSpec, type NicSpec } from "@switchyard/yard/model";
import {
  addForeignNetwork,
  addForeignNode,
  foreignNetwork,
  foreignNode,
  removeForeignNetwork,
  removeForeignNode,
  rowsOf,
  type Store,
} from "@switchyard/yard/store";
import type { EcEngine } from "./containers.ts";
import { EC_OWNER, type EcPlace } from "./place.ts";
import { parsePlugs, plugsOf, SLOT } from "./plug.ts";
import type { Vswitch } from "./slots.ts";
import { vswitchAddresses, vswitches } from "./vswitch.ts";

/** The entries of a network's and a node's `external_ids` that hold the vswitch's name and the container's id. */
const VSWITCH = "ec-vswitch";
const CONTAINER = "ec-container";

/**
 * Has the yard's database tell of the vswitches and of the engine's containers in their slots, and of no others. One
 * that has ended is among them: its engine may start it again.
 *
 * @throws YardError what else of the yard is in the way, an address that a nic has say
 */
export async function tellYard(place: EcPlace, engine: EcEngine): Promise<void> {
  const { store } = place;
  const present = vswitches(place);
  const names = new Set(present.map(({ name }) => name));
  const containers = (await engine.list())
    .map((one) => ({ ...one, plugs: parsePlugs(one.nics) }))
    .filter(({ plugs }) => plugs.vswitches.every(([, name]) => names.has(name)));
  const there = new Set(containers.map(({ id }) => id));
  const at = { yard: place.yard, host: hostname() };
  for (const { uuid, spec } of rowsOf(store.db).nodes) {
    const row = store.db.table("Node").get(uuid);
    const id = row?.external_ids.get(CONTAINER);
    const gone = id !== undefined && spec.kind === "guest" && spec.engine === engine.address && !there.has(id);
    if (row !== undefined && gone) await removeForeignNode(store, row);
  }
  for (const vswitch of present) {
    if (foreignNetwork(store, VSWITCH, vswitch.name) !== undefined) continue;
    await addForeignNetwork(store, { spec: networkSpec(store, vswitch), ids: { [VSWITCH]: vswitch.name } }, at);
  }
  for (const { id, name, plugs: wanted } of containers) {
    if (foreignNode(store, CONTAINER, id) !== undefined) continue;
    const plugs = plugsOf(place, wanted).flatMap(({ slot, bridge, number, second }) => {
      const network = foreignNetwork(store, VSWITCH, bridge)?.name;
      const common = { network, spy: false, mtu: undefined };
      const first = { name: `eth${number}`, ip: slot.addresses, slot: slot.ofport, mac: slot.mac };
      const one = [{ port: slot.port, nic: guestNic({ ...common, ...first }) }];
      if (second === undefined) return one;
      const other = { name: `eth${number + 1}`, ip: [], slot: undefined, mac: second.mac };
      return [...one, { port: second.port, nic: guestNic({ ...common, ...other }) }];
    });
    const spec = guestSpec(
      freeName(name, (it) => store.db.table("Node").find({ name: it }) === undefined),
      plugs.map((it): NicSpec => it.nic),
      { engine: engine.address, container: id, plugs: plugs.map(({ port }) => port) },
    );
    await addForeignNode(store, { spec, ids: { [CONTAINER]: id }, replaces: [] }, at);
  }
  for (const row of store.db.table("Network")) {
    const name = row.external_ids.get(VSWITCH);
    if (name !== undefined && !names.has(name)) await removeForeignNetwork(store, row, []);
  }
}

/** The ports of ours that no container has: of those that went without a word. */
export function idlePorts({ db, store }: EcPlace): string[] {
  const used = new Set(rowsOf(store.db).nodes.flatMap(({ spec }) => (spec.kind === "guest" ? spec.plugs : [])));
  return [...db.table("Port")]
    .filter((port) => port.external_ids.get(OWNER) === EC_OWNER && port.external_ids.get(PURPOSE) === SLOT)
    .flatMap(({ name }) => (used.has(name) ? [] : [name]));
}

function networkSpec(store: Store, vswitch: Vswitch): NetworkSpec {
  const name = freeName(vswitch.name, (it) => store.db.table("Network").find({ name: it }) === undefined);
  const addresses = vswitchAddresses(vswitch);
  const none = { gateway: [], mtu: undefined };
  return { type: "bridge", name, bridge: vswitch.name, addresses, cidr: addresses.map(networkOf), ...none };
}

/** Its own, unless the yard has another thing of that name. */
function freeName(name: string, isFree: (name: string) => boolean): string {
  return isFree(name) ? name : `ec-${name}`;
}
