import { type Monitor, openDatabase, type WaitOptions } from "@switchyard/ovsdb";
import { type OpenVSwitchTables, schema } from "../schema/open_vswitch.gen.ts";
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
      Open_vSwitch: [
        "bridges",
        "next_cfg",
        "cur_cfg",
        "other_config",
        "external_ids",
        "ovs_version",
        "dpdk_initialized",
      ],
      Bridge: [
        "name",
        "ports",
        "mirrors",
        "datapath_type",
        "other_config",
        "external_ids",
        "flood_vlans",
        "rstp_enable",
      ],
      Port: ["name", "interfaces", "tag", "trunks", "vlan_mode", "protected", "qos", "other_config", "external_ids"],
      Interface: [
        "name",
        "type",
        "options",
        "external_ids",
        "ofport",
        "ofport_request",
        "error",
        "admin_state",
        "link_state",
      ],
      QoS: ["type", "external_ids"],
      Mirror: ["name", "select_src_port", "select_dst_port", "output_port", "external_ids"],
    },
  });
}

/**
 * Follows all of a switch's database: every table with every column that configures something, and what tells whether
 * the switch has taken it. `status` adds statistics and status, which it rewrites every few seconds.
 *
 * @throws as {@link openSwitch}
 */
export function openWholeSwitch(
  remote: string,
  options: WaitOptions & { readonly status?: boolean } = {},
): Promise<Switch> {
  const { status, ...limits } = options;
  if (status === true) return openDatabase({ remote, schema, ...limits });
  const monitor = Object.fromEntries(
    [...schema.tables.values()].map((table) => [
      table.name,
      [...table.columns.values()]
        .filter((column) => !column.ephemeral || SETTLED.has(column.name))
        .filter((column) => !STATISTICS.has(column.name))
        .map((column) => column.name),
    ]),
  );
  // The names are the schema's own, but the compiler has lost which belongs to which table.
  return openDatabase({ remote, schema, ...limits, monitor: monitor as Monitor<OpenVSwitchTables> });
}

/** What an interface's row says of how the switch has it, though nobody configures it. */
const SETTLED = new Set(["admin_state", "link_state", "mtu", "mac_in_use"]);
const STATISTICS = new Set(["statistics", "status", "rstp_statistics", "rstp_status"]);
