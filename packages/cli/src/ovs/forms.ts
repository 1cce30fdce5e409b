/** The plain form of each `ovs` command: its words and options, and the arguments that they are. */
import { YardError } from "@switchyard/base";
import type { Command } from "commander";
import type { Example } from "../help.ts";
import { repeated } from "../options.ts";

export interface Form {
  /** `<bridge> <port>`, as the usage line shows it. */
  readonly usage: string;
  readonly options?: (command: Command) => void;
  /** Words and options as the command's JSON. */
  readonly read: (words: readonly string[], options: Options) => unknown;
  readonly examples: readonly Example[];
}

/** What the options of any form come to. */
export interface Options {
  readonly datapath?: string;
  readonly set?: readonly string[];
  readonly vlan?: string;
  readonly type?: string;
  readonly option?: readonly string[];
  readonly mode?: string;
  readonly lacp?: boolean;
  readonly name?: string;
  readonly peer?: readonly string[];
  readonly column?: readonly string[];
}

export const forms: Readonly<Record<string, Form>> = {
  "bridge-add": {
    usage: "<bridge>",
    options: (command) =>
      command
        .option("--datapath <type>", "system or netdev; by default the best that works here")
        .option("--set <column=value>", "column of Bridge, or column:key (may be repeated)", repeated, []),
    read: ([bridge, ...more], { datapath, set }) =>
      no(more, { bridge, ...some({ ...(datapath === undefined ? {} : { datapath_type: datapath }), ...pairs(set) }) }),
    examples: [
      ["yard ovs bridge-add backplane", ""],
      ['yard ovs bridge-add \'{"bridge": "backplane"}\'', "the same"],
      ["yard ovs bridge-add br0 --set fail_mode=secure --set other_config:hwaddr=02:00:00:00:00:01", ""],
    ],
  },
  "bridge-del": {
    usage: "<bridge>",
    read: ([bridge, ...more]) => no(more, { bridge }),
    examples: [["yard ovs bridge-del backplane", ""]],
  },
  "port-add": {
    usage: "<bridge> <port>",
    options: (command) =>
      command
        .option("--vlan <tag>", "VLAN tag, 1 to 4094")
        .option("--type <type>", "internal, patch, vxlan, …; a network device by default")
        .option("--option <key=value>", "option of the type, such as peer=x (may be repeated)", repeated, [])
        .option("--set <column=value>", "column of Interface or Port, or column:key (may be repeated)", repeated, []),
    read: ([bridge, port, ...more], { vlan, type, option, set }) => {
      const ofType = Object.entries(pairs(option)).map(([key, value]) => [`options:${key}`, value]);
      const options = { ...(type === undefined ? {} : { type }), ...Object.fromEntries(ofType), ...pairs(set) };
      return no(more, { bridge, port, ...(vlan === undefined ? {} : { vlan }), ...some(options) });
    },
    examples: [
      ["yard ovs port-add backplane eth0 --vlan 10", "a device, as access port of VLAN 10"],
      ["yard ovs port-add backplane p0 --type patch --option peer=p1", "one end of a patch"],
      ["yard ovs port-add backplane i0 --type internal --set trunks=[1,2]", "a device of the switch's own"],
    ],
  },
  "port-del": {
    usage: "[bridge] <port>",
    read: (words) => {
      const [first, second, ...more] = words;
      return no(more, second === undefined ? { port: first } : { bridge: first, port: second });
    },
    examples: [
      ["yard ovs port-del eth0", ""],
      ["yard ovs port-del backplane eth0", "only if it is on that bridge"],
    ],
  },
  "bond-add": {
    usage: "<bridge> <port> <link> <link>…",
    options: (command) =>
      command
        .option("--mode <mode>", "active-backup, balance-slb (the default) or balance-tcp")
        .option("--lacp", "negotiate by LACP")
        .option("--vlan <tag>", "VLAN tag, 1 to 4094"),
    read: ([bridge, port, ...links], { mode, lacp, vlan }) => ({
      bridge,
      port,
      links,
      ...(mode === undefined ? {} : { mode }),
      ...(lacp === undefined ? {} : { lacp }),
      ...(vlan === undefined ? {} : { vlan }),
    }),
    examples: [["yard ovs bond-add backplane bond0 eth0 eth1 --mode balance-tcp --lacp", ""]],
  },
  set: {
    usage: "<table> <record> <column[:key]=value>…",
    read: ([table, record, ...values]) => ({ table, record, options: pairs(values) }),
    examples: [
      ["yard ovs set Interface eth0 ingress_policing_rate=10000", ""],
      ["yard ovs set Port eth0 tag=[]", "without a tag again"],
      ["yard ovs set Open_vSwitch . external_ids:site=here", "the only row of its table"],
    ],
  },
  "vlan-ensure": {
    usage: "<master> <vlan>",
    options: (command) => command.option("--name <bridge>", "the bridge's name (default: vlbr<vlan>)"),
    read: ([master, vlan, ...more], { name }) => no(more, { master, vlan, ...(name === undefined ? {} : { name }) }),
    examples: [
      ["yard ovs vlan-ensure backplane 10", "prints vlbr10"],
      ["yard ovs vlan-ensure backplane 0 --name native", "the frames without a tag"],
    ],
  },
  "vxlan-ensure": {
    usage: "<master> <vxlan>",
    options: (command) =>
      command
        .option("--name <bridge>", "the bridge's name (default: vxlbr<vxlan>)")
        .option("--peer <address>", "address of another host (may be repeated; default: multicast)", repeated, []),
    read: ([master, vxlan, ...more], { name, peer = [] }) =>
      no(more, {
        master,
        vxlan,
        ...(name === undefined ? {} : { name }),
        ...(peer.length === 0 ? {} : { peers: peer }),
      }),
    examples: [
      ["yard ovs vxlan-ensure vxbackend 100 --peer 10.2.0.2 --peer 10.2.0.3", "tunnels to two other hosts"],
      ["yard ovs vxlan-ensure vxbackend 100", "all hosts of a multicast group"],
    ],
  },
  "vtep-ensure": {
    usage: "<bridge> <vnid>",
    read: ([bridge, vnid, ...more]) => no(more, { bridge, vnid }),
    examples: [["yard ovs vtep-ensure vxbackend 100", "prints vtep100"]],
  },
  "vtep-del": {
    usage: "<vnid>",
    read: ([vnid, ...more]) => no(more, { vnid }),
    examples: [["yard ovs vtep-del 100", ""]],
  },
  list: {
    usage: "[table] [record…]",
    options: columns,
    read: ([table, ...record], { column = [] }) => ({
      ...(table === undefined ? {} : { table, record, columns: column }),
    }),
    examples: [
      ["yard ovs list", "the names of the bridges"],
      ["yard ovs list Port eth0 --column tag --column trunks", ""],
    ],
  },
  show: {
    usage: "[bridge]",
    read: ([bridge, ...more]) => no(more, bridge === undefined ? {} : { bridge }),
    examples: [["yard ovs show", "bridges, ports and interfaces"]],
  },
  get: {
    usage: "<table> <record> <column[:key]>…",
    read: ([table, record, ...columns]) => ({ table, record, columns }),
    examples: [["yard ovs get Interface eth0 statistics:rx_packets", ""]],
  },
  find: {
    usage: "<table> <column[:key]=value>…",
    options: columns,
    read: ([table, ...where], { column = [] }) => ({ table, where, columns: column }),
    examples: [["yard ovs find Port external_ids:switchyard-owner=ovs --column name", "what these commands made"]],
  },
};

function columns(command: Command): void {
  command.option("--column <name>", "only this column (may be repeated)", repeated, []);
}

/** `column=value` words as an object. @throws YardError `usage.wrong` */
function pairs(words: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      if (at > 0) return [word.slice(0, at), word.slice(at + 1)] as const;
      throw new YardError("usage.wrong", `"${word}" is not of the form column=value`);
    }),
  );
}

function some(options: Readonly<Record<string, string>>): { options?: Readonly<Record<string, string>> } {
  return Object.keys(options).length === 0 ? {} : { options };
}

/** @throws YardError `usage.wrong` when words are left over */
function no<R>(more: readonly string[], input: R): R {
  if (more.length === 0) return input;
  throw new YardError("usage.wrong", `too many words: ${more.join(" ")}`);
}
