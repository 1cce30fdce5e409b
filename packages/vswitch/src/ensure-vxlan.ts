import { family, type Ip, parseIp, YardError } from "@switchyard/base";
import { applyLinks, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import type { Uuid } from "@switchyard/ovsdb";
import type { PortRow } from "../schema/open_vswitch.gen.ts";
import { commitEdit, type EditOptions } from "./ensure-commit.ts";
import { type PlacedPort, SwitchEdit } from "./ensure-edit.ts";
import { type Ensured, ensureBridge, markedBridge } from "./ensure-vlan.ts";
import { checkVni, deleteVtep, ensureVtep, vtepName } from "./ensure-vtep.ts";
import { PURPOSE } from "./marks.ts";
import { VXLAN_OVERHEAD } from "./tunnels.ts";
import type { Switch } from "./types.ts";

/** The UDP port of VXLAN (RFC 7348). */
const TUNNEL_PORT = 4789;

/** A bridge that reaches the same VXLAN on other hosts. */
export interface VxlanBridge {
  readonly master: string;
  /** 1 to 2^24 - 1. */
  readonly vni: number;
  /** `vxlbr<vni>` by default. */
  readonly name?: string;
  /**
   * The addresses of the other hosts, exactly these, each reached by a tunnel of the switch's own. Without it what
   * tunnels there are stay; where there are none the kernel's device `vtep<vni>` reaches all hosts of a multicast group.
   */
  readonly peers?: readonly string[];
}

export interface EnsuredVxlan extends Ensured {
  /** What packets inside may be long at most; whoever is attached must keep to it. */
  readonly mtu: number;
  /** False: the link below has no IPv4 address, and nothing will pass until it has one. */
  readonly addressed: boolean;
}

/**
 * A bridge for a VXLAN over `master`, made, or completed from whatever of it is there; where the VXLAN has a bridge
 * already, that one.
 *
 * @param namespace where the switch's devices are
 * @throws YardError `switch.bad-vni`, `switch.no-bridge`, `switch.other-bridge`, `switch.datapath-differs`,
 * `address.bad-ip`, and as {@link ensureVtep} and {@link commitEdit}
 */
export async function ensureVxlanBridge(
  db: Switch,
  namespace: NamespaceRef,
  want: VxlanBridge,
  options: EditOptions,
): Promise<EnsuredVxlan> {
  checkVni(want.vni);
  const peers = want.peers?.map((peer) => parseIp(peer));
  if (peers === undefined && !hasTunnels(db, want.vni)) return overGroup(db, namespace, want, options);
  return overTunnels(db, namespace, want, peers, options);
}

/** One tunnel for each peer; all are protected, so that what comes from one never goes to another: a mesh cannot loop. */
async function overTunnels(
  db: Switch,
  namespace: NamespaceRef,
  want: VxlanBridge,
  peers: readonly Ip[] | undefined,
  options: EditOptions,
): Promise<EnsuredVxlan> {
  const lower = viewNamespace(namespace).links.get(want.master);
  if (lower?.up === false) applyLinks([{ namespace, ops: [{ op: "set", name: want.master, up: true }] }]);
  const mtu = (lower?.mtu ?? 1500) - VXLAN_OVERHEAD[peers?.some((ip) => family(ip) === 6) ? 6 : 4];
  const { result, changed } = await commitEdit(
    db,
    (edit) => {
      const { uuid, name, purpose } = target(edit, want, mtu);
      if (peers !== undefined) {
        setTunnels(edit, uuid, want.vni, new Set(peers), purpose);
        const vtep = edit.port(vtepName(want.vni));
        if (vtep !== undefined && edit.mayChange(vtep.port)) edit.removePort(vtep);
      }
      return name;
    },
    options,
  );
  const removed = peers !== undefined && deleteVtep(namespace, want.vni, { ours: true });
  // The switch's own tunnels go by whatever route leads to the peer, so no link needs an address for them.
  return { bridge: result, changed: changed || removed, mtu, addressed: true };
}

/** The kernel's own device over a multicast group, as a plain port. */
async function overGroup(
  db: Switch,
  namespace: NamespaceRef,
  want: VxlanBridge,
  options: EditOptions,
): Promise<EnsuredVxlan> {
  const port = vtepName(want.vni);
  // What is wrong with the bridges is told before any device is made.
  const { name } = await db.transact((tx) => {
    tx.abort();
    return target(new SwitchEdit(db, tx, options.owner), want);
  });
  // A port of another type would make a device of its own, and take the name.
  const present = db.table("Interface").find({ name: port });
  const misfit = present !== undefined && present.type !== "" && present.type !== "system";
  if (misfit) await commitEdit(db, (edit) => removeStale(edit, port), options);
  const vtep = ensureVtep({ namespace, master: want.master, vni: want.vni });
  try {
    // A port whose device has gone stays closed when another of its name comes: the switch must see it gone first.
    const stale = vtep.made && db.table("Port").find({ name: port }) !== undefined;
    if (stale) await commitEdit(db, (edit) => removeStale(edit, port), options);
    const { result, changed } = await commitEdit(
      db,
      (edit) => {
        const { uuid, purpose } = target(edit, { ...want, name });
        ensureVtepPort(edit, edit.port(port), uuid, port, purpose);
        return name;
      },
      options,
    );
    return { bridge: result, changed: changed || vtep.made, mtu: vtep.mtu, addressed: vtep.addressed };
  } catch (thrown) {
    if (vtep.made) applyLinks([{ namespace, ops: [{ op: "delete", name: port }] }]);
    throw thrown;
  }
}

interface Target {
  readonly uuid: Uuid;
  readonly name: string;
  readonly purpose: string;
}

/** The bridge, found by the port that reaches the others, or by its name, or made. */
function target(edit: SwitchEdit, { master, vni, name }: VxlanBridge, mtu?: number): Target {
  const home = edit.neededBridge(master);
  const present = edit.port(vtepName(vni))?.bridge.name ?? markedBridge(edit, "vxlan", vni);
  const bridge = present ?? name ?? `vxlbr${vni}`;
  if (name !== undefined && name !== bridge)
    throw new YardError("switch.other-bridge", `VXLAN ${vni} has the bridge ${bridge} already, so not ${name}`, {
      hint: `use ${bridge}, or remove it first: yard ovs bridge-del ${bridge}`,
    });
  const purpose = `vxlan ${vni} of ${master}`;
  return { uuid: ensureBridge(edit, bridge, home, { kind: "vxlan", id: vni, purpose }, mtu), name: bridge, purpose };
}

function setTunnels(edit: SwitchEdit, bridge: Uuid, vni: number, peers: ReadonlySet<Ip>, purpose: string): void {
  const wanted = new Map([...peers].map((peer) => [tunnelName(vni, peer), peer]));
  if (wanted.size < peers.size)
    throw new YardError("switch.name-taken", `two of the peers of VXLAN ${vni} would have tunnels of one name`);
  const row = edit.tx.get("Bridge", bridge);
  if (row !== undefined)
    for (const port of edit.portsOf(row))
      if (isTunnel(port, vni) && !wanted.has(port.name) && edit.mayChange(port)) edit.removePort({ port, bridge: row });
  for (const [name, peer] of wanted) {
    const options = { remote_ip: peer, key: String(vni), dst_port: String(TUNNEL_PORT) };
    const placed = edit.port(name);
    if (placed === undefined) {
      edit.addPort(bridge, name, { protected: true }, [{ name, type: "vxlan", options }], `${purpose} to ${peer}`);
      continue;
    }
    const [link] = edit.interfacesOf(placed.port);
    if (link === undefined || !edit.mayChange(placed.port)) throw taken(name);
    edit.watched.add(name);
    edit.movePort(placed, bridge);
    edit.set("Port", placed.port, { protected: true, tag: undefined, trunks: [], vlan_mode: undefined });
    edit.set("Interface", link, { type: "vxlan", options });
    edit.mark("Port", placed.port, `${purpose} to ${peer}`);
  }
}

function ensureVtepPort(
  edit: SwitchEdit,
  placed: PlacedPort | undefined,
  bridge: Uuid,
  name: string,
  purpose: string,
): void {
  if (placed === undefined) {
    edit.addPort(bridge, name, {}, [{ name }], purpose);
    return;
  }
  const [link] = edit.interfacesOf(placed.port);
  if (link === undefined || placed.bridge.name === name) throw taken(name);
  edit.watched.add(name);
  const plain = placed.port.tag === undefined && placed.port.trunks.size === 0 && placed.port.vlan_mode === undefined;
  if (plain && (link.type === "" || link.type === "system")) return;
  if (!edit.mayChange(placed.port)) throw taken(name);
  edit.set("Port", placed.port, { tag: undefined, trunks: [], vlan_mode: undefined });
  edit.set("Interface", link, { type: "", options: {} });
  edit.mark("Port", placed.port, purpose);
}

function removeStale(edit: SwitchEdit, name: string): void {
  const placed = edit.port(name);
  if (placed !== undefined && edit.mayChange(placed.port)) edit.removePort(placed);
}

/** `vx<vni>_` and four characters of the peer's hash. */
export function tunnelName(vni: number, peer: Ip): string {
  return `vx${vni}_${new Bun.CryptoHasher("sha256").update(peer).digest("base64url").replace(/[-_]/g, "").slice(0, 4)}`;
}

function isTunnel({ external_ids }: PortRow, vni: number): boolean {
  return new RegExp(`^vxlan ${vni} of .* to `).test(external_ids.get(PURPOSE) ?? "");
}

function hasTunnels(db: Switch, vni: number): boolean {
  return [...db.table("Port")].some((port) => isTunnel(port, vni));
}

function taken(name: string): YardError {
  return new YardError("switch.name-taken", `the name ${name} is taken by a port of another kind or owner`);
}
