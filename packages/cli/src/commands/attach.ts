import { type FilePart, nicSpec } from "@switchyard/yard/model";
import { attachNic, nextNic, rowsOf } from "@switchyard/yard/store";
import { findNode } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";
import type { Command } from "commander";
import { commit, parseNicWord } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { repeated } from "../options.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { report } from "./add.ts";

interface Options extends CommonOptions {
  readonly name?: string;
  readonly ip: readonly string[];
  readonly dhcp?: boolean;
}

/** `yard attach NODE NETWORK` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Attach a node to a network: with a new nic, or with --name of one that it has, which moves there\n" +
        "and keeps its MAC. When it cannot be made so, it is withdrawn.",
    )
    .argument("<node>", "name of a node")
    .argument("<network>", "NETWORK[,FIELD=VALUE]…, the fields of a nic in a lab file")
    .option("--name <nic>", "name of the nic in the node (default: the next eth<n>)")
    .option("--ip <cidr>", "address (may be repeated; default: one of the network's cidr)", repeated, [])
    .option("--dhcp", "get address, gateway and name servers from a DHCP server on it")
    .option("--json", JSON_HELP)
    .action(async (node: string, network: string, options: Options) => {
      await attach(session, yardName(command, session.env), node, network, options);
    });
  examples(
    command,
    ["yard attach web lan02", "one nic more"],
    ["yard attach web lan02 --name eth0", "move eth0 to lan02"],
    ["yard attach web lan02 --dhcp", "with the address that a server on lan02 gives"],
    ["yard attach web lan02,vlan=5,mtu=9000 --ip 10.2.0.7/24", "with fields of a nic"],
  );
}

async function attach(session: Session, yard: string, node: string, network: string, options: Options): Promise<void> {
  const began = performance.now();
  await using live = await openLiveYard(session, yard);
  const rows = rowsOf(live.store.db);
  findNode(currentView(yard, live.store), node);
  const row = rows.nodes.find(({ name }) => name === node);
  const fields: FilePart = { name: nextNic(row), ...parseNicWord(network) };
  const spec = nicSpec(
    {
      ...fields,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.ip.length === 0 ? {} : { ip: options.ip }),
      ...(options.dhcp ? { dhcp: true } : {}),
    },
    { networks: rows.networks, environment: session.env },
  );
  const write = () => attachNic(live.store, node, spec);
  const changed = await commit(session, live, `attach ${node}`, write, { nodes: [node] });
  report(session, options, `nic ${node}:${spec.name}`, changed, began, `attached to ${spec.network}`);
}
