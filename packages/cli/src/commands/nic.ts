import { YardError } from "@switchyard/base";
import { type FilePart, nicSpec } from "@switchyard/yard/model";
import { attachNic, detachNic, newNicName, rowsOf } from "@switchyard/yard/store";
import { findNic, findNode } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";
import type { Command } from "commander";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { number, repeated } from "../options.ts";
import { subcommand } from "../program.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { parseNicPath } from "../target.ts";
import { report } from "./add.ts";

interface AddOptions extends CommonOptions {
  readonly network?: string;
  readonly type?: string;
  readonly id?: string;
  readonly name?: string;
  readonly mac?: string;
  readonly hwaddr?: string;
  readonly ip: readonly string[];
  readonly cidr: readonly string[];
  readonly gateway: readonly string[];
  readonly gw: readonly string[];
  readonly dns: readonly string[];
  readonly dhcp?: boolean;
  readonly monitor?: boolean;
  readonly mtu?: number;
}

/** `yard nic add|rm …` */
export function define(command: Command, session: Session): void {
  command.description(
    "Give a running node a nic more, or take one away. The network is named, or said by type and id: one\n" +
      "that is declared so is meant, else one is made for as long as a nic is on it.",
  );
  command.argument("[what]", "add or rm").action((what?: string) => {
    throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `a nic cannot ${what}`, {
      hint: "yard nic add or yard nic rm; `yard help nic` shows examples",
    });
  });
  defineAdd(subcommand(command, "add", "give a node a nic", session), session);
  defineRemove(subcommand(command, "rm", "take a nic away from a node", session), session);
  examples(
    command,
    ["yard nic add web --type vlan --id 100 --cidr 10.1.0.7/24 --gw 10.1.0.254", "on VLAN 100 of backplane"],
    ["yard nic add web --type macvlan --id eth1 --dhcp", "beside the host's own NIC, on its segment"],
    ["yard nic rm web eth1", ""],
  );
}

function defineAdd(command: Command, session: Session): void {
  command
    .argument("<node>", "name of a node")
    .option("-n, --network <name>", "the network, by its name")
    .option("--type <type>", "or by its type: default, bridge, vlan, vxlan, macvlan, passthrough or zerotier")
    .option("--id <id>", "and its number; the name of the bridge, or of the NIC of the host")
    .option("--name <nic>", "name of the nic in the node (default: the next eth<n>)")
    .option("--hwaddr <mac>", "MAC address")
    .option("--mac <mac>", "the same")
    .option("--cidr <cidr>", "address (may be repeated; default: one of the network's)", repeated, [])
    .option("--ip <cidr>", "the same", repeated, [])
    .option("--gateway <ip>", "next hop of the default route (may be repeated)", repeated, [])
    .option("--gw <ip>", "the same", repeated, [])
    .option("--dns <ip>", "name server (may be repeated)", repeated, [])
    .option("--dhcp", "get address, gateway and name servers from a DHCP server on it")
    .option("--monitor", "show its port's counters in `yard inspect`")
    .option("--mtu <bytes>", "largest packet", number)
    .option("--json", JSON_HELP)
    .action(async (node: string, options: AddOptions) => {
      await add(session, yardName(command, session.env), node, options);
    });
  examples(
    command,
    ["yard nic add web --type default", "on the network that is a way out"],
    ["yard nic add web --type bridge --id office --dhcp", "on a bridge, with a leased address"],
    ["yard nic add web --type passthrough --id eth2 --name wan", "a NIC of the host's itself"],
  );
}

function defineRemove(command: Command, session: Session): void {
  command
    .argument("<node>", "name of a node; or NODE:NIC")
    .argument("[nic]", "name of its nic")
    .option("--json", JSON_HELP)
    .action(async (node: string, nic: string | undefined, options: CommonOptions) => {
      await remove(session, yardName(command, session.env), nic === undefined ? node : `${node}:${nic}`, options);
    });
  examples(command, ["yard nic rm web eth1", "a NIC of the host's goes back to it, as it was"]);
}

async function add(session: Session, yard: string, node: string, options: AddOptions): Promise<void> {
  const began = performance.now();
  await using live = await openLiveYard(session, yard);
  const rows = rowsOf(live.store.db);
  findNode(currentView(yard, live.store), node);
  const row = rows.nodes.find((entry) => entry.name === node) ?? { name: node, nics: [] };
  const name = newNicName(row, options.name);
  const spec = nicSpec(nicPart(name, options), { networks: rows.networks, environment: session.env });
  const write = () => attachNic(live.store, node, spec);
  const changed = await commit(session, live, `nic ${node}:${name}`, write, { nodes: [node] });
  report(session, options, `nic ${node}:${name}`, changed, began, `added on ${spec.network}`);
}

/** The nic as a lab file would have it. */
function nicPart(name: string, options: AddOptions): FilePart {
  const { network, type, id, mac, hwaddr, ip, cidr, gateway, gw, dns, dhcp, monitor, mtu } = options;
  const written = (part: FilePart) =>
    Object.fromEntries(
      Object.entries(part).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
    );
  const config = written({ cidr, gw });
  return {
    ...written({ name, network, type, id, mac, hwaddr, ip, gateway, dns, dhcp, monitor, mtu }),
    ...(Object.keys(config).length === 0 ? {} : { config }),
  };
}

async function remove(session: Session, yard: string, path: string, options: CommonOptions): Promise<void> {
  const began = performance.now();
  const { node, nic } = parseNicPath(path);
  await using live = await openLiveYard(session, yard);
  findNic(findNode(currentView(yard, live.store), node), nic);
  const write = () => detachNic(live.store, node, nic);
  const changed = await commit(session, live, `nic ${path}`, write, { nodes: [node] });
  report(session, options, `nic ${path}`, changed, began, "removed");
}
