/** How our rows are told from others', and a wire's bridge from a lan's. */
import type { BridgeRow, PortRow } from "../schema/open_vswitch.gen.ts";
import type { BridgeState, PortState } from "./types.ts";

export const OWNER = "switchyard-owner";
export const PURPOSE = "switchyard-purpose";

/** The external_ids of a row of ours. */
export function marks(owner: string, purpose: string): Record<string, string> {
  return { [OWNER]: owner, [PURPOSE]: purpose };
}

/**
 * How the bridge of a wire is made to pass every frame, with what the database holds, so that it does so again after
 * the switch was restarted: its ports are tunnels into one VLAN (ovs-vswitchd.conf.db(5), vlan_mode dot1q-tunnel), so
 * that frames pass untouched whatever tags they bear; and that VLAN is flooded, so that nothing is learnt. (Flooding
 * all 4,096 of a trunk does the same, with 20 KB of database for each wire.) The bridge's own device stands in
 * another VLAN: it would get a copy of every frame, tagged, which costs time, and costs the other copy its tag where
 * that is an empty one. Frames to the reserved addresses of IEEE 802.1D need other_config:forward-bpdu beside.
 */
export const HUB = { vlan: 1, localVlan: 2, mode: "dot1q-tunnel" } as const;

export function isHub(bridge: Pick<BridgeRow, "flood_vlans">): boolean {
  return bridge.flood_vlans.has(HUB.vlan);
}

/** The columns of Bridge that a state stands for. */
export function bridgeColumns(state: BridgeState): {
  datapath_type: string;
  other_config: Readonly<Record<string, string>>;
  flood_vlans: readonly number[];
  rstp_enable: boolean;
} {
  return {
    datapath_type: state.datapath,
    other_config: state.otherConfig,
    flood_vlans: state.hub ? [HUB.vlan] : [],
    rstp_enable: state.rstp ?? false,
  };
}

type Vlan = Pick<PortState, "tag" | "trunks" | "vlanMode">;
type VlanColumns = Pick<PortRow, "tag" | "vlan_mode"> & { readonly trunks: readonly number[] };

/** The VLAN columns of Port that a state stands for; on a hub there is no other than passing all. */
export function vlanColumns(state: Vlan, hub: boolean): VlanColumns {
  if (hub) return { tag: HUB.vlan, trunks: [], vlan_mode: HUB.mode };
  return { tag: state.tag, trunks: state.trunks, vlan_mode: state.vlanMode };
}

/** The inverse of {@link vlanColumns}; undefined for settings that no state stands for. */
export function vlanState(row: Pick<PortRow, "tag" | "trunks" | "vlan_mode">, hub: boolean): Vlan | undefined {
  if (hub)
    return row.tag === HUB.vlan && row.vlan_mode === HUB.mode
      ? { tag: undefined, trunks: [], vlanMode: undefined }
      : undefined;
  if (row.vlan_mode === "native-tagged" || row.vlan_mode === "dot1q-tunnel") return undefined;
  return { tag: row.tag, trunks: [...row.trunks].sort((a, b) => a - b), vlanMode: row.vlan_mode };
}
