import type { Uuid } from "@switchyard/ovsdb";
import type { BridgeRow, InterfaceRow, PortRow } from "../schema/open_vswitch.gen.ts";
import { isHub, OWNER, PURPOSE, vlanState } from "./marks.ts";
import type { BridgeState, MirrorState, ObservedPort, Switch, SwitchState } from "./types.ts";

/**
 * What in the switch bears the owner's mark, from the replica: nothing is asked. A port whose VLAN settings somebody
 * changed to what no {@link PortState} stands for is shown with the bridge ``, so that it differs from any that is
 * wanted.
 */
export function observeSwitch(db: Switch, owner: string): SwitchState {
  const bridges = new Map<string, BridgeState>();
  const ports = new Map<string, ObservedPort>();
  const mirrors = new Map<string, MirrorState>();
  for (const bridge of db.table("Bridge")) {
    const hub = isHub(bridge);
    if (bridge.external_ids.get(OWNER) === owner) bridges.set(bridge.name, bridgeState(bridge, hub));
    const spies = new Set<Uuid>();
    for (const uuid of bridge.mirrors) {
      const mirror = db.table("Mirror").get(uuid);
      if (mirror?.external_ids.get(OWNER) !== owner) continue;
      if (mirror.output_port !== undefined) spies.add(mirror.output_port);
      mirrors.set(mirror.name, { bridge: bridge.name, port: spiedPort(db, mirror.select_src_port) });
    }
    for (const uuid of bridge.ports) {
      const port = db.table("Port").get(uuid);
      if (port?.external_ids.get(OWNER) !== owner || port.name === bridge.name || spies.has(uuid)) continue;
      if (port.external_ids.get(PURPOSE) === SPY) continue;
      ports.set(port.name, portState(port, interfaceOf(db, port), bridge.name, hub));
    }
  }
  return { bridges, ports, mirrors };
}

/** The purpose of a spy's port. */
export const SPY = "spy";

/** The interface of a port that is no bond. */
export function interfaceOf(db: Switch, port: PortRow): InterfaceRow | undefined {
  for (const uuid of port.interfaces) return db.table("Interface").get(uuid);
  return undefined;
}

function bridgeState(bridge: BridgeRow, hub: boolean): BridgeState {
  return {
    datapath: bridge.datapath_type === "" ? "system" : bridge.datapath_type,
    otherConfig: Object.fromEntries(bridge.other_config),
    hub,
    purpose: bridge.external_ids.get(PURPOSE) ?? "",
  };
}

function portState(port: PortRow, link: InterfaceRow | undefined, bridge: string, hub: boolean): ObservedPort {
  const vlan = vlanState(port, hub);
  const ofport = link?.ofport;
  return {
    bridge: vlan === undefined ? "" : bridge,
    type: link === undefined || link.type === "system" ? "" : link.type,
    ...(vlan ?? { tag: undefined, trunks: [], vlanMode: undefined }),
    protected: port.protected,
    options: Object.fromEntries(link?.options ?? []),
    purpose: link?.external_ids.get(PURPOSE) ?? "",
    // -1 says that the interface could not be made (ovs-vswitchd.conf.db(5)).
    ofport: ofport === undefined || ofport < 0 ? undefined : Number(ofport),
    error: link?.error,
    adminState: link?.admin_state,
    linkState: link?.link_state,
  };
}

/** The name of the port; `` when it has gone, so that the spy differs from any that is wanted. */
function spiedPort(db: Switch, selected: ReadonlySet<Uuid>): string {
  for (const uuid of selected) return db.table("Port").get(uuid)?.name ?? "";
  return "";
}
