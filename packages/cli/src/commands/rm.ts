import { YardError } from "@switchyard/base";
import { nearest } from "@switchyard/yard/nearest";
import { removeNetwork, removeNode, rowsOf } from "@switchyard/yard/store";
import type { Command } from "commander";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { report } from "./add.ts";

/** `yard rm NAME…` */
export function define(command: Command, session: Session): void {
  command
    .description("Remove nodes and networks by name. A network goes only when no nic attaches to it any more.")
    .argument("<name...>", "names of nodes or networks")
    .option("--json", JSON_HELP)
    .action(async (names: readonly string[], options: CommonOptions) => {
      await remove(session, yardName(command, session.env), names, options);
    });
  examples(command, ["yard rm pc", "a node"], ["yard rm pc web lan01", "nodes, then the network that they were on"]);
}

async function remove(session: Session, yard: string, names: readonly string[], options: CommonOptions): Promise<void> {
  await using live = await openLiveYard(session, yard);
  const { store } = live;
  // All names are looked at before the first is removed.
  const { nodes, networks } = rowsOf(store.db);
  const known = new Map([
    ...networks.map(({ name }) => [name, "network"] as const),
    ...nodes.map(({ name }) => [name, "node"] as const),
  ]);
  for (const name of names) if (!known.has(name)) throw unknownName(yard, name, known.keys());
  // Nodes first, so that a network may go together with those on it.
  for (const kind of ["node", "network"] as const)
    for (const name of names.filter((candidate) => known.get(candidate) === kind)) {
      const began = performance.now();
      const write = () => (kind === "node" ? removeNode(store, name) : removeNetwork(store, name));
      const changed = await commit(session, live, `rm ${name}`, write, { nodes: [name], networks: [name] });
      report(session, options, `${kind} ${name}`, changed, began, "removed");
    }
}

function unknownName(yard: string, name: string, known: Iterable<string>): YardError {
  const near = nearest(name, known);
  return new YardError("rm.unknown", `yard ${yard} has neither a node nor a network "${name}"`, {
    hint: near === undefined ? `\`yard -y ${yard} ps\` lists what there is` : `did you mean ${near}?`,
  });
}
