/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "ovs.unknown-command": "There is no such `ovs` command. `yard ovs --help` lists them.",
  "ovs.bad-argument":
    "An argument of an `ovs` command is missing or cannot be what was given; the message names it and what is expected.",
  "ovs.not-running":
    "The switch that the command is for does not run. Start it: for a yard of your own `yard up` or `yard agent`, for the host's `systemctl start openvswitch-switch`.",
  "ovs.no-access": "The switch's database socket may be used by root only, or by the group of its yard. Use sudo.",
  "ovs.no-port": "The switch, or that bridge, has no port of that name. `yard ovs show` lists bridges and ports.",
  "ovs.local-port": "A bridge's own port goes with its bridge only. Remove the bridge.",
  "ovs.not-yours":
    "The command would destroy what somebody else made and keeps: a yard, CNI, the Docker driver. Remove it by the way it was made.",
  "ovs.no-device":
    "There is no network device of that name where the switch works. The hint tells where it is, if another namespace has it.",
  "ovs.bad-type": "The switch knows no interfaces of that type; the message lists those that it knows.",
  "ovs.no-vtep": "There is neither a device nor a port of that VXLAN.",
  "ovs.no-table": "The switch's database has no table of that name.",
  "ovs.no-column": "The table has no column of that name, or the column holds no keys.",
  "ovs.no-record": "The table has no such row. A row is named by its name, its UUID, or `.` where there is only one.",
  "ovs.ambiguous-record": "Several rows of the table are meant by that. Give the UUID.",
  "ovs.bad-value": "A value cannot be that of its column; the message says what the column holds.",
  "ovs.mark": "The entries switchyard-… of external_ids say whose a row is, and are not set by hand.",
} as const;
