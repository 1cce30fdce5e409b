import { openDatabase, type WaitOptions } from "@switchyard/ovsdb";
import { schema } from "../schema/open_vswitch.gen.ts";
import type { Switch } from "./types.ts";

/**
 * Follows a switch's database. Statistics and status columns, which the switch rewrites every few seconds for every
 * port, are left out.
 *
 * @param remote `unix:/run/openvswitch/db.sock`
 * @throws the errors of ovsdb's openDatabase
 */
export function openSwitch(remote: string, options: WaitOptions = {}): Promise<Switch> {
  return openDatabase({
    remote,
    schema,
    ...options,
    monitor: {
      Open_vSwitch: ["bridges", "next_cfg", "cur_cfg", "other_config", "external_ids", "ovs_version"],
      Bridge: ["name", "ports", "mirrors", "datapath_type", "other_config", "external_ids", "flood_vlans"],
      Port: ["name", "interfaces", "tag", "trunks", "vlan_mode", "other_config", "external_ids"],
      Interface: ["name", "type", "options", "external_ids", "ofport", "error", "admin_state", "link_state"],
      Mirror: ["name", "select_src_port", "select_dst_port", "output_port", "external_ids"],
    },
  });
}
