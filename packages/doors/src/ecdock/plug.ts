/** A slot's nics: made, put into the container, and taken away. Whatever was begun is finished or made anew. */
import { family, YardError } from "@switchyard/base";
import { applyLinks, type LinkOp, type NamespaceRef, viewNamespaces } from "@switchyard/linux";
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

function plugsOf(place: EcPlace, { slot, dualNic, vswitches }: Plugs): Plug[] {
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
  if (all.every((one) => isPlugged(place, one, pid))) return;
  await unplugAll(place, all);
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

function isPlugged({ db }: EcPlace, { slot, number, second }: Plug, pid: number): boolean {
  const links = [...viewNamespaces([{ pid }]).values()][0]?.links;
  const has = (nic: Nic, n: number) => {
    const row = db.table("Interface").find({ name: nic.port });
    return links?.get(`eth${n}`)?.mac === nic.mac && row?.ofport === nic.ofport && row.error === undefined;
  };
  return has(slot, number) && (second === undefined || has(second, number + 1));
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
  if (!internal) await links(place.namespace, veths);
  await commitEdit(
    place.db,
    (edit) => {
      const at = edit.neededBridge(bridge)._uuid;
      for (const { port, ofport } of nics) {
        const type = internal ? { type: "internal" } : {};
        edit.addPort(at, port, {}, [{ name: port, ofport_request: ofport, ...type }], "slot");
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
  await addSlotFlow(place, bridge, slot);
  // Both ends of the bridge inside would carry a flooded frame round and round.
  if (second !== undefined) for (const { port } of nics) await stopFlooding(place, bridge, port);
  await configure(inside, one);
}

/** The addresses, the way out, and at the very last the nic itself: a container may wait for that. */
async function configure(inside: NamespaceRef, { slot, number, second }: Plug): Promise<void> {
  const nic = `eth${number}`;
  const bridged = second !== undefined;
  const device = bridged ? "br0" : nic;
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
  const present = [...viewNamespaces([place.namespace]).values()][0]?.links;
  const ours = ports.filter((port) => present?.get(port)?.alias.startsWith(`${EC_OWNER} `));
  applyLinks([{ namespace: place.namespace, ops: ours.map((name) => ({ op: "delete", name })) }]);
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
