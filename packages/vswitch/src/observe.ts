import type { BridgeRow, InterfaceRow, MirrorRow, PortRow } from "../schema/open_vswitch.gen.ts";
import { isHub, OWNER, PURPOSE, vlanState } from "./marks.ts";
import type { BridgeState, MirrorState, ObservedPort, Switch, SwitchState } from "./types.ts";

/**
 * What in the switch bears the owner's mark, from the replica: nothing is asked. A port whose VLAN settings somebody
 * changed to what no {@link PortState} stands for is shown with the bridge ``, so that it differs from any that is
 * wanted.
 *
 * @param foreign ports of other owners that are looked at all the same
 */
export function observeSwitch(db: Switch, owner: string, foreign?: ReadonlyMap<string, unknown>): SwitchState {
  const bridges = new Map<string, BridgeState>();
  const ports = new Map<string, ObservedPort>();
  const mirrors = new Map<string, MirrorState>();
  const rows = db.table("Port");
  for (const bridge of db.table("Bridge")) {
    const hub = isHub(bridge);
    if (bridge.external_ids.get(OWNER) === owner) bridges.set(bridge.name, bridgeState(bridge, hub));
    for (const uuid of bridge.mirrors) {
      const mirror = db.table("Mirror").get(uuid);
      if (mirror?.external_ids.get(OWNER) === owner) mirrors.set(mirror.name, mirrorState(db, mirror, bridge));
    }
    for (const uuid of bridge.ports) {
      const port = rows.get(uuid);
      if (port === undefined || port.name === bridge.name) continue;
      if (port.external_ids.get(OWNER) !== owner) {
        if (foreign?.has(port.name)) ports.set(port.name, { ...portState(db, port, bridge.name, hub), foreign: true });
        continue;
      }
      if (port.external_ids.get(PURPOSE) === SPY) {
        // Somebody may have taken its mirror away.
        if (!mirrors.has(port.name)) mirrors.set(port.name, { ...PLAIN, bridge: "", port: "", purpose: "" });
        continue;
      }
      ports.set(port.name, portState(db, port, bridge.name, hub));
    }
  }
  return { bridges, ports, mirrors };
}

/** The purpose of a spy's port. */
export const SPY = "spy";

const PLAIN = { tag: undefined, trunks: [], vlanMode: undefined } as const;

/** The interface of a port that is no bond. */
export function interfaceOf(db: Switch, port: PortRow): InterfaceRow | undefined {
  for (const uuid of port.interfaces) return db.table("Interface").get(uuid);
  return undefined;
}

/** The type of a QoS by which the switch leaves a device's queueing discipline alone (ovs-vswitchd.conf.db(5)). */
export const NO_QOS = "linux-noop";

function bridgeState(bridge: BridgeRow, hub: boolean): BridgeState {
  return {
    datapath: bridge.datapath_type === "" ? "system" : bridge.datapath_type,
    otherConfig: Object.fromEntries(bridge.other_config),
    hub,
    ...(bridge.rstp_enable ? { rstp: true } : {}),
    purpose: bridge.external_ids.get(PURPOSE) ?? "",
  };
}

/** What was made of a port's row, and of what else. Rows are frozen and replaced whole. */
interface Known {
  readonly link: InterfaceRow;
  readonly bridge: string;
  readonly hub: boolean;
  readonly state: ObservedPort;
}
const known = new WeakMap<PortRow, Known>();

function portState(db: Switch, port: PortRow, bridge: string, hub: boolean): ObservedPort {
  const before = known.get(port);
  const stays = before?.bridge === bridge && before.hub === hub;
  if (stays && db.table("Interface").get(before.link._uuid) === before.link) return before.state;
  const link = interfaceOf(db, port);
  const queue = port.qos === undefined ? undefined : db.table("QoS").get(port.qos)?.type;
  const state = portStateOf(port, link, queue, bridge, hub);
  // A QoS is a row of its own, that few have.
  if (link && port.qos === undefined) known.set(port, { link, bridge, hub, state });
  return state;
}

function portStateOf(
  port: PortRow,
  link: InterfaceRow | undefined,
  queue: string | undefined,
  bridge: string,
  hub: boolean,
): ObservedPort {
  const vlan = vlanState(port, hub);
  const ofport = link?.ofport;
  return {
    bridge: vlan === undefined ? "" : bridge,
    type: link === undefined || link.type === "system" ? "" : link.type,
    ...(vlan ?? PLAIN),
    protected: port.protected,
    keepsQueue: queue === NO_QOS,
    options: Object.fromEntries(link?.options ?? []),
    ...(link?.ofport_request === undefined ? {} : { number: Number(link.ofport_request) }),
    purpose: link?.external_ids.get(PURPOSE) ?? "",
    // -1 says that the interface could not be made (ovs-vswitchd.conf.db(5)).
    ofport: ofport === undefined || ofport < 0 ? undefined : Number(ofport),
    error: link?.error,
    adminState: link?.admin_state,
    linkState: link?.link_state,
  };
}

/** The bridge of one that is not whole is ``, so that it differs from any that is wanted. */
function mirrorState(db: Switch, mirror: MirrorRow, bridge: BridgeRow): MirrorState {
  const port = mirror.output_port === undefined ? undefined : db.table("Port").get(mirror.output_port);
  const vlan = port && vlanState(port, isHub(bridge));
  const whole = vlan !== undefined && port?.name === mirror.name && bridge.ports.has(port._uuid);
  const [spied = "", ...others] = new Set([...mirror.select_src_port, ...mirror.select_dst_port]);
  const both = others.length === 0 && mirror.select_src_port.size === 1 && mirror.select_dst_port.size === 1;
  return {
    bridge: whole && both ? bridge.name : "",
    port: spied === "" ? "" : (db.table("Port").get(spied)?.name ?? ""),
    ...(vlan ?? PLAIN),
    purpose: mirror.external_ids.get(PURPOSE) ?? "",
  };
}
