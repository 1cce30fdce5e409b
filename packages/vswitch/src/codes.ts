/** Every code that this room throws or returns, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "switch.not-installed":
    "A program of Open vSwitch is missing on this host. Install it: `apt-get install openvswitch-switch`.",
  "switch.start-failed":
    "ovsdb-server or ovs-vswitchd did not start; the message has its own words, and its log file more.",
  "switch.not-running": "Nobody listens on the switch's control socket: it was stopped, or has died. Start it again.",
  "switch.not-answering":
    "The switch runs but did not answer, or did not take a change, in time. A change stays in its database and is taken when it goes on; look whether ovs-vswitchd is stopped or overloaded. Where it is only slow, SWITCHYARD_SWITCH_PATIENCE in the environment of the agent gives it more seconds than 30.",
  "switch.command-refused": "The switch refused a command on its control socket; the message has its reason.",
  "switch.path-too-long": "A unix socket's path must be absolute and have 107 bytes at most. Choose a shorter folder.",
  "switch.no-group": "The group that shall use the database socket does not exist on this host. Make it with groupadd.",
  "switch.no-namespace": "The network namespace that the switch shall work in does not exist. Make it first.",
  "switch.namespace-in-use":
    "Another ovs-vswitchd works in the network namespace already, and two would fight for its devices. End that one first.",
  "switch.bad-schema": "A database schema could not be read: it is no `.ovsschema` document.",
  "switch.database-corrupt":
    "A database file is damaged or no database at all. Move it away; a new one is made in its place.",
  "switch.database-newer":
    "A database was written by a newer release, whose schema this one does not know. Use the newer release, or move the file away.",
  "switch.database-other": "A database file holds another database than the one that belongs there. Move it away.",
  "switch.database-in-use": "A database file is served by another process. End that one, or use its socket.",
  "switch.database-failed": "A database file cannot be used; the message has the reason.",
  "switch.disk-full": "The file system of a database file is full. Free some space in it.",
  "switch.bad-number":
    "A node's and a nic's number make no interface name: they are integers from 0, with ten digits together at most.",
  "switch.name-taken":
    "The switch has a bridge or port of that name which belongs to somebody else, and it was left alone. Choose another name, or remove it.",
  "switch.no-bridge": "A port or a spy was to be added to a bridge that the switch does not have.",
  "switch.no-port": "A port was to be spied on that the switch does not have.",
  "switch.port-failed":
    "The switch could not make a port; the message has its reason, most often a network device that is missing.",
  "switch.bridge-failed":
    "The switch could not make a bridge; most often it lacks that datapath (the openvswitch kernel module).",
  "switch.bad-vlan": "A VLAN is a number from 0 to 4094; 0 means the frames that bear no tag.",
  "switch.bad-vni": "A VXLAN's identifier is a number from 1 to 16777215.",
  "switch.other-master":
    "The VLAN or VXLAN is joined to another master bridge, which the message names. Remove it from there first.",
  "switch.other-bridge":
    "The VLAN or VXLAN has a bridge already, or the bridge that was named has another VLAN or VXLAN. Use that one, or remove it first.",
  "switch.datapath-differs":
    "Two bridges that shall be joined have different datapaths, between which nothing passes. Make one anew with the other's datapath.",
  "switch.no-device": "There is no network device of that name in the namespace where the switch works.",
  "switch.device-refused": "The kernel did not make or remove a network device; the message has its reason.",
} as const;
