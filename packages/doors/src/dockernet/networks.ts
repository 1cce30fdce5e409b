/** Docker networks as networks of the yard. */
import { addressOf, YardError } from "@switchyard/base";
import { type FilePart, networkSpec } from "@switchyard/yard/model";
import {
  addForeignNetwork,
  foreignNetwork,
  foreignNodesOn,
  removeForeignNetwork,
  rowsOf,
  type Store,
} from "@switchyard/yard/store";
import { z } from "zod";
import type { LiveYard } from "./live.ts";
import { type NetworkOptions, networkOptions } from "./options.ts";
import type { CreateNetwork } from "./protocol.ts";

/** The entry of a network's `external_ids` that holds Docker's id of it. */
export const NETWORK_ID = "docker-network";
/** The entry of a node's `external_ids` that holds Docker's id of its end in a network. */
export const ENDPOINT_ID = "docker-endpoint";
/** The one that holds what nics on it are like, as JSON. */
const HABITS = "docker-nics";

const habitsSchema = z.object({ slot: z.boolean(), spy: z.boolean() });
/** What every nic on a network is like. */
export type Habits = z.infer<typeof habitsSchema>;

/** What a network is called until the engine tells its name. */
function provisionalName(id: string): string {
  return `docker-${id.slice(0, 12)}`;
}

/** `NetworkDriver.CreateNetwork`; repeated, it is the same. @throws YardError what keeps it from being made */
export async function createNetwork(live: LiveYard, request: CreateNetwork): Promise<void> {
  live.made.add(request.NetworkID);
  const options = networkOptions(request.Options);
  const store = await live.store();
  if (foreignNetwork(store, NETWORK_ID, request.NetworkID) !== undefined) return;
  refuseDatapath(store, options);
  const spec = networkSpec(provisionalName(request.NetworkID), networkPart(store, request, options), {});
  const habits: Habits = { slot: options.slot, spy: options.spy };
  const ids = { [NETWORK_ID]: request.NetworkID, [HABITS]: JSON.stringify(habits) };
  const { cfg } = await addForeignNetwork(store, { spec, ids }, live.place);
  try {
    await live.applied(cfg, { networks: [spec.name] });
  } catch (error) {
    const row = foreignNetwork(store, NETWORK_ID, request.NetworkID);
    if (row !== undefined) await removeForeignNetwork(store, row, []);
    throw error;
  }
}

/** `NetworkDriver.DeleteNetwork`; one that is gone is no error. @throws YardError `network.in-use` */
export async function deleteNetwork(live: LiveYard, id: string): Promise<void> {
  live.made.delete(id);
  const store = await live.store();
  const row = foreignNetwork(store, NETWORK_ID, id);
  if (row === undefined) return;
  // The engine has no end in it any more: what is left is of ends whose removal it could not tell us.
  const { cfg } = await removeForeignNetwork(store, row, foreignNodesOn(store, ENDPOINT_ID, row));
  await live.applied(cfg, { networks: [] });
}

/** @throws YardError `dockernet.unknown-network` */
export function networkOf(store: Store, id: string) {
  const row = foreignNetwork(store, NETWORK_ID, id);
  const entry = rowsOf(store.db).networks.find(({ uuid }) => uuid === row?._uuid);
  if (row === undefined || entry === undefined)
    throw new YardError("dockernet.unknown-network", `the yard has no network for Docker's ${id.slice(0, 12)}`, {
      hint: "remove it with docker network rm, and create it again",
    });
  const habits = habitsSchema.parse(JSON.parse(row.external_ids.get(HABITS) ?? '{"slot":false,"spy":false}'));
  return { row, entry, habits };
}

/** The network as a lab file would declare it. */
function networkPart(store: Store, request: CreateNetwork, options: NetworkOptions): FilePart {
  const data = [...request.IPv4Data, ...request.IPv6Data];
  const cidr = data.flatMap(({ Pool }) => Pool ?? []);
  const gateway = options.internal
    ? []
    : data.flatMap(({ Gateway }) => (Gateway === undefined ? [] : addressOf(Gateway)));
  return {
    ...making(store, options),
    ...(cidr.length === 0 ? {} : { cidr }),
    ...(gateway.length === 0 ? {} : { gateway }),
    ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
  };
}

function making(store: Store, { bridge, vlan, vxlan, peers, internal }: NetworkOptions): FilePart {
  if (vxlan !== undefined) return { type: "vxlan", id: vxlan, peers };
  if (vlan !== undefined) return { type: "vlan", id: vlan, ...(bridge === undefined ? {} : { master: bridge }) };
  if (bridge === undefined) return { type: internal ? "lan" : "nat" };
  const named = rowsOf(store.db).networks.find(({ name }) => name === bridge);
  return { type: "bridge", bridge: named?.status.bridge ?? bridge };
}

/** A switch has one kind of datapath for all networks that are made for it. */
function refuseDatapath(store: Store, { datapath }: NetworkOptions): void {
  const [host] = rowsOf(store.db).hosts;
  if (datapath === undefined || host === undefined || host.datapath === datapath) return;
  throw new YardError("dockernet.bad-option", `the yard's switch has the datapath ${host.datapath}, not ${datapath}`, {
    hint: "leave datapath out, or serve the driver from another yard",
  });
}
