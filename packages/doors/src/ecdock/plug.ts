/** A slot's nics: made, put into the container, and taken away. Whatever was begun is finished or made anew. */
import { family, YardError } from "@switchyard/base";
import { applyLinks, type LinkOp, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import { commitEdit } from "@switchyard/vswitch";
import { z } from "zod";
import { addSlotFlow, deleteSlotFlow, stopFlooding } from "./flows.ts";
import { allowIpv6 } from "./ipv6.ts";
import { EC_OWNER, type EcPlace, leavesOffloads } from "./place.ts";
import { type Nic, type Slot, slotOf } from "./slots.ts";
import { vswitchOf } from "./vswitch.ts";

const plugsSchema = z.object({
  slot: z.number(),
  /** Ports of the switch's own instead of veths. */
  internal: z.boolean(),
  dualNic: z.boolean(),
  /** The vswitch of each nic, by its number in the container. */
  vswitches: z.array(z.tuple([z.number(), z.string()])),
});
/** What the ports of containers are for, in their rows. */
export const SLOT = "slot";
/** What joins the two nics of a pair, in the container. */
const BRIDGE = "br0";
/** Milliseconds until a number is free that the agent has given to the pipe of an impaired nic. */
const PIPE_GONE = 5_000;

/** What nics a container has; a label of the container keeps it. */
export type Plugs = z.infer<typeof plugsSchema>;

export function plugsText(plugs: Plugs): string {
  return JSON.stringify(plugs);
}

export function parsePlugs(text: string): Plugs {
  return plugsSchema.parse(JSON.parse(text));
}

/** One nic with all that it hangs on. */
interface Plug {
  readonly slot: Slot;
  readonly bridge: string;
  readonly datapath: string;
  /** Its number in the container. */
  readonly number: number;
  /** The second nic of a pair. */
  readonly second: Nic | undefined;
}

export function plugsOf(place: EcPlace, { slot, dualNic, vswitches }: Plugs): Plug[] {
  return vswitches.map(([number, name]) => {
    const vswitch = vswitchOf(place, name);
    const own = slotOf(vswitch, slot);
    const second = dualNic && number === 0 ? own.second : undefined;
    return { slot: own, bridge: name, datapath: vswitch.datapath, number, second };
  });
}

/**
 * Gives a container its nics; one that has them already is left as it is.
 *
 * @param pid its first process
 * @throws YardError `ec.nic-failed`, `switch.port-failed`, `ec.no-vswitch`, with nothing left of it
 */
export async function plug(place: EcPlace, plugs: Plugs, pid: number): Promise<void> {
  const all = plugsOf(place, plugs);
  if (all.every((one) => isPlugged(place, one, plugs.internal, pid))) return;
  await unplugAll(place, all);
  clear(all, pid);
  try {
    for (const one of all) await plugOne(place, one, plugs.internal, pid);
  } catch (error) {
    await unplugAll(place, all);
    throw error;
  }
}

/** Takes a slot's ports away, with their flows. */
export async function unplug(place: EcPlace, plugs: Plugs): Promise<void> {
  await unplugAll(place, plugsOf(place, plugs));
}

function isPlugged(
  { db, namespace }: EcPlace,
  { slot, number, second }: Plug,
  internal: boolean,
  pid: number,
): boolean {
  const inside = viewNamespace({ pid }).links;
  const near = viewNamespace(namespace).links;
  const has = (nic: Nic, n: number) => {
    const row = db.table("Interface").find({ name: nic.port });
    const works = row?.ofport === nic.ofport && row.error === undefined;
    // A port of the switch's own is in the container itself, unless a switch that was started anew has made another.
    return works && inside.get(`eth${n}`)?.mac === nic.mac && near.has(nic.port) !== internal;
  };
  return has(slot, number) && (second === undefined || has(second, number + 1));
}

/** A userspace switch that has died leaves the devices that were in the container, where nothing hears of them any more. */
function clear(all: readonly Plug[], pid: number): void {
  const inside = viewNamespace({ pid }).links;
  const names = all.flatMap(({ number, second }) => [
    `eth${number}`,
    ...(second === undefined ? [] : [`eth${number + 1}`, BRIDGE]),
  ]);
  const ops = names.filter((name) => inside.has(name)).map((name): LinkOp => ({ op: "delete", name }));
  applyLinks([{ namespace: { pid }, ops }]);
}

async function plugOne(place: EcPlace, one: Plug, internal: boolean, pid: number): Promise<void> {
  const { slot, bridge, number, second } = one;
  const inside: NamespaceRef = { pid };
  const offloads = leavesOffloads(place.yard, one.datapath) ? {} : { offloads: false };
  const nics = [
    { ...slot, name: `eth${number}` },
    ...(second === undefined ? [] : [{ ...second, name: `eth${number + 1}` }]),
  ];
  const veths = nics.map(
    ({ port, mac, name }): LinkOp => ({
      op: "veth",
      name: port,
      alias: `${EC_OWNER} ${bridge}`,
      up: true,
      port: true,
      peer: { name, namespace: inside, mac, ...offloads },
    }),
  );
  for (const { ofport } of nics) await numberFree(place, bridge, ofport);
  if (!internal) await links(place.namespace, veths);
  await commitEdit(
    place.db,
    (edit) => {
      const at = edit.neededBridge(bridge)._uuid;
      for (const { port, ofport } of nics) {
        const type = internal ? { type: "internal" } : {};
        edit.addPort(at, port, {}, [{ name: port, ofport_request: ofport, ...type }], SLOT);
      }
    },
    { owner: EC_OWNER },
  );
  for (const { port, ofport } of nics) refuseOtherNumber(place, port, ofport);
  if (internal)
    await links(
      place.namespace,
      nics.map(({ port, mac, name }): LinkOp => ({ op: "set", name: port, mac, namespace: inside, rename: name })),
    );
  await direct(place, one);
  await configure(inside, one);
}

/** Tells the switch again what no database holds, and what its daemon has lost with its end. */
export async function redirect(place: EcPlace, plugs: Plugs): Promise<void> {
  for (const one of plugsOf(place, plugs)) await direct(place, one);
}

async function direct(place: EcPlace, { bridge, slot, second }: Plug): Promise<void> {
  await addSlotFlow(place, bridge, slot);
  // Both ends of the bridge inside would carry a flooded frame round and round.
  if (second !== undefined) for (const { port } of [slot, second]) await stopFlooding(place, bridge, port);
}

/** The addresses, the way out, and at the very last the nic itself: a container may wait for that. */
async function configure(inside: NamespaceRef, { slot, number, second }: Plug): Promise<void> {
  const nic = `eth${number}`;
  const bridged = second !== undefined;
  const device = bridged ? BRIDGE : nic;
  const join: LinkOp[] = bridged
    ? [
        { op: "bridge", name: device, mac: slot.mac, up: true },
        { op: "set", name: nic, master: device },
        { op: "set", name: `eth${number + 1}`, master: device, up: true },
      ]
    : [];
  await links(inside, join);
  const [four, six] = [4, 6].map((version) => slot.addresses.filter((it) => family(it) === version));
  const addresses = [...(four ?? []), ...allowIpv6(inside, device, six ?? [])];
  await links(inside, [
    ...addresses.map((address): LinkOp => ({ op: "address-add", name: device, address })),
    { op: "set", name: "lo", up: true },
    { op: "set", name: nic, up: true },
    // Only one nic is the way out.
    ...(number === 0
      ? [{ op: "route-add", route: { to: "default4", via: slot.gateway, dev: device } } satisfies LinkOp]
      : []),
  ]);
}

async function unplugAll(place: EcPlace, all: readonly Plug[]): Promise<void> {
  const ports = all.flatMap(({ slot, second }) => [slot.port, ...(second === undefined ? [] : [second.port])]);
  for (const { bridge, slot } of all)
    if (place.db.table("Port").find({ name: slot.port }) !== undefined) await deleteSlotFlow(place, bridge, slot);
  await removePorts(place, ports);
}

/** Takes ports of ours out of the switch, and their devices away. */
export async function removePorts(place: EcPlace, ports: readonly string[]): Promise<void> {
  await commitEdit(
    place.db,
    (edit) => {
      for (const name of ports) {
        const placed = edit.port(name);
        if (placed !== undefined && edit.ownerOf(placed.port) === EC_OWNER) edit.removePort(placed);
      }
    },
    { owner: EC_OWNER },
  );
  const present = viewNamespace(place.namespace).links;
  const ours = ports.filter((port) => present.get(port)?.alias.startsWith(`${EC_OWNER} `));
  applyLinks([{ namespace: place.namespace, ops: ours.map((name) => ({ op: "delete", name })) }]);
}

/** Who impairs a nic has another port in its place, which keeps its number until the agent sees that the nic is gone. */
async function numberFree({ db }: EcPlace, bridge: string, wanted: number): Promise<void> {
  const isFree = () => {
    const ports = db.table("Bridge").find({ name: bridge })?.ports ?? [];
    const links = [...ports].flatMap((uuid) => [...(db.table("Port").get(uuid)?.interfaces ?? [])]);
    return links.every((uuid) => db.table("Interface").get(uuid)?.ofport_request !== wanted);
  };
  // Where it stays taken, the switch says so.
  if (!isFree()) await db.waitFor(isFree, { timeout: PIPE_GONE }).catch(() => {});
}

function refuseOtherNumber({ db }: EcPlace, port: string, wanted: number): void {
  const got = db.table("Interface").find({ name: port })?.ofport;
  if (got === wanted) return;
  throw new YardError("ec.nic-failed", `another port has the OpenFlow number ${wanted} of ${port}`);
}

/** @throws YardError `ec.nic-failed` */
async function links(namespace: NamespaceRef, ops: readonly LinkOp[]): Promise<void> {
  const [failed] = applyLinks([{ namespace, ops }]);
  if (failed !== undefined) throw new YardError("ec.nic-failed", `the container's nic: ${failed.message}`);
}
