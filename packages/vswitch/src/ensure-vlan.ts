import { YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import type { BridgeRow } from "../schema/open_vswitch.gen.ts";
import { commitEdit, type EditOptions } from "./ensure-commit.ts";
import type { PlacedPort, SwitchEdit } from "./ensure-edit.ts";
import { PURPOSE } from "./marks.ts";
import type { Switch } from "./types.ts";

/** A bridge that has one VLAN of a master bridge, untagged. */
export interface VlanBridge {
  readonly master: string;
  /** 0 to 4094; 0: the frames that bear no tag on the master. */
  readonly tag: number;
  /** `vlbr<tag>` by default. */
  readonly name?: string;
}

/** What an `ensure` came to. */
export interface Ensured {
  readonly bridge: string;
  readonly changed: boolean;
}

/**
 * A bridge for a VLAN of `master`, joined to it by the patch ports `vlbr<tag>p`, an access port of the VLAN, and
 * `vlbr<tag>in`. Made, or completed from whatever of it is there; where the VLAN has a bridge already, that one.
 *
 * @throws YardError `switch.bad-vlan`, `switch.no-bridge`, `switch.other-master`, `switch.other-bridge`,
 * `switch.name-taken`, `switch.datapath-differs`, and as {@link commitEdit}
 */
export async function ensureVlanBridge(db: Switch, want: VlanBridge, options: EditOptions): Promise<Ensured> {
  if (!Number.isInteger(want.tag) || want.tag < 0 || want.tag > 4094)
    throw new YardError("switch.bad-vlan", `VLAN ${want.tag} is not between 0 and 4094`);
  const { result, changed } = await commitEdit(db, (edit) => write(edit, want), options);
  return { bridge: result, changed };
}

function write(edit: SwitchEdit, { master, tag, name }: VlanBridge): string {
  const home = edit.neededBridge(master);
  const names = { near: `vlbr${tag}p`, far: `vlbr${tag}in` };
  const near = patchPort(edit, names.near);
  if (near !== undefined && near.bridge._uuid !== home._uuid)
    throw new YardError("switch.other-master", `VLAN ${tag} belongs to the master ${near.bridge.name}, not ${master}`, {
      hint: `its port there is ${names.near}; to give the VLAN another master, remove that first: yard ovs port-del ${near.bridge.name} ${names.near}`,
    });
  const far = patchPort(edit, names.far);
  const joined = far !== undefined && far.bridge._uuid !== home._uuid ? far.bridge.name : undefined;
  const present = joined ?? markedBridge(edit, "vlan", tag);
  const bridge = present ?? name ?? `vlbr${tag}`;
  if (name !== undefined && name !== bridge)
    throw new YardError("switch.other-bridge", `VLAN ${tag} has the bridge ${bridge} already, so not ${name}`, {
      hint: `use ${bridge}, or remove it first: yard ovs bridge-del ${bridge}`,
    });
  const purpose = `vlan ${tag} of ${master}`;
  const target = ensureBridge(edit, bridge, home, { kind: "vlan", id: tag, purpose });
  const mark = (placed: PlacedPort | undefined, on: Uuid, own: string, peer: string, access: number | undefined) =>
    ensurePatch(edit, placed, { bridge: on, name: own, peer, tag: access, purpose });
  // With tag 0 an access port takes and gives only frames without a tag, where one without a tag would carry all VLANs.
  mark(near, home._uuid, names.near, names.far, tag);
  mark(far, target, names.far, names.near, undefined);
  return bridge;
}

/** What a bridge made by an `ensure` stands for. */
export interface Segment {
  readonly kind: "vlan" | "vxlan";
  readonly id: number;
  readonly purpose: string;
}

/**
 * The bridge of a VLAN or VXLAN, which has its master's datapath: packets cross a patch within one datapath only.
 *
 * @returns its row
 */
export function ensureBridge(edit: SwitchEdit, name: string, master: BridgeRow, segment: Segment, mtu?: number): Uuid {
  if (name === master.name)
    throw new YardError(
      "switch.other-bridge",
      `the bridge of ${segment.kind} ${segment.id} cannot be its master, ${name}`,
    );
  const row = edit.bridge(name);
  if (row === undefined)
    return edit.addBridge(
      name,
      { datapath_type: master.datapath_type },
      segment.purpose,
      mtu === undefined ? {} : { mtu_request: mtu },
    );
  const other = segmentOf(edit, row);
  if (other !== undefined && (other.kind !== segment.kind || other.id !== segment.id))
    throw new YardError("switch.other-bridge", `the bridge ${name} is that of ${other.kind} ${other.id} already`, {
      hint: `give another name, or remove it first: yard ovs bridge-del ${name}`,
    });
  if (datapathOf(row) !== datapathOf(master)) {
    if (!edit.mayChange(row))
      throw new YardError(
        "switch.datapath-differs",
        `the bridge ${name} has the datapath ${datapathOf(row)}, its master ${master.name} has ${datapathOf(master)}`,
      );
    edit.set("Bridge", row, { datapath_type: master.datapath_type });
  }
  if (edit.ownerOf(row) === edit.owner && segmentFrom(row.external_ids.get(PURPOSE)) !== undefined)
    edit.mark("Bridge", row, segment.purpose);
  edit.watched.add(name);
  return row._uuid;
}

/** The bridge that was made for a segment, though what joins it to its master is missing. */
export function markedBridge(edit: SwitchEdit, kind: Segment["kind"], id: number): string | undefined {
  const [bridge] = edit.tx.filter("Bridge", (row) => {
    const marked = edit.ownerOf(row) === edit.owner ? segmentFrom(row.external_ids.get(PURPOSE)) : undefined;
    return marked?.kind === kind && marked.id === id;
  });
  return bridge?.name;
}

/** What a bridge stands for already: its mark says so, or a port of that name does. */
function segmentOf(edit: SwitchEdit, bridge: BridgeRow): { kind: string; id: number } | undefined {
  const marked = edit.ownerOf(bridge) === edit.owner ? segmentFrom(bridge.external_ids.get(PURPOSE)) : undefined;
  if (marked !== undefined) return marked;
  for (const { name } of edit.portsOf(bridge)) {
    const [, vlan, vni] = /^(?:vlbr(\d+)in|vtep(\d+))$/.exec(name) ?? [];
    if (vlan !== undefined) return { kind: "vlan", id: Number(vlan) };
    if (vni !== undefined) return { kind: "vxlan", id: Number(vni) };
  }
  return undefined;
}

function segmentFrom(purpose: string | undefined): { kind: string; id: number } | undefined {
  const [, kind, id] = /^(vlan|vxlan) (\d+) of /.exec(purpose ?? "") ?? [];
  return kind === undefined ? undefined : { kind, id: Number(id) };
}

function datapathOf({ datapath_type }: BridgeRow): string {
  return datapath_type === "" ? "system" : datapath_type;
}

/** The port of that name, if it is one that could be made into a patch. @throws YardError `switch.name-taken` */
function patchPort(edit: SwitchEdit, name: string): PlacedPort | undefined {
  const placed = edit.port(name);
  if (placed === undefined) return undefined;
  const links = edit.interfacesOf(placed.port);
  if (placed.bridge.name !== name && links.length === 1 && links[0]?.name === name) return placed;
  throw new YardError(
    "switch.name-taken",
    `the name ${name} is taken by a ${placed.bridge.name === name ? "bridge" : "bond"}`,
  );
}

interface Patch {
  readonly bridge: Uuid;
  readonly name: string;
  readonly peer: string;
  readonly tag: number | undefined;
  readonly purpose: string;
}

function ensurePatch(edit: SwitchEdit, placed: PlacedPort | undefined, want: Patch): void {
  const vlan = { tag: want.tag, trunks: [], vlan_mode: undefined };
  const patch = { type: "patch", options: { peer: want.peer } };
  if (placed === undefined) {
    edit.addPort(want.bridge, want.name, vlan, [{ name: want.name, ...patch }], want.purpose);
    return;
  }
  const [link] = edit.interfacesOf(placed.port);
  if (link === undefined) return;
  edit.watched.add(want.name);
  if (isPatch(placed, link, want)) return;
  if (!edit.mayChange(placed.port))
    throw new YardError("switch.name-taken", `the port ${want.name} belongs to ${edit.ownerOf(placed.port)}`);
  edit.movePort(placed, want.bridge);
  edit.set("Port", placed.port, vlan);
  edit.set("Interface", link, patch);
  edit.mark("Port", placed.port, want.purpose);
  edit.mark("Interface", link, want.purpose);
}

function isPatch(
  { port, bridge }: PlacedPort,
  link: { readonly type: string; readonly options: ReadonlyMap<string, string> },
  want: Patch,
): boolean {
  return (
    bridge._uuid === want.bridge &&
    port.tag === want.tag &&
    port.trunks.size === 0 &&
    (port.vlan_mode === undefined || (port.vlan_mode === "access" && want.tag !== undefined)) &&
    link.type === "patch" &&
    link.options.size === 1 &&
    link.options.get("peer") === want.peer
  );
}
