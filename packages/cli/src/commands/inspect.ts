import { yardPaths } from "@switchyard/yard/paths";
import { findNode } from "@switchyard/yard/view";
import { withCounters, withLeased } from "@switchyard/yard/view/store";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { renderNode } from "../render/inspect.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";

/** `yard inspect NODE…` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Show all there is to know about nodes: namespace, process, and for every nic its addresses,\n" +
        "MAC, the port of the switch and the bridge that it is on, its DHCP lease, and the port's counters\n" +
        "where it says `monitor: true`; of a nat what it has leased to whom.",
    )
    .argument("<node...>", "names of nodes")
    .option("--json", JSON_HELP)
    .action(async (names: readonly string[], options: CommonOptions) => {
      const yard = yardName(command, session.env);
      const view = await readYard(session, yard);
      const paths = yardPaths(yard, session.env);
      const nodes = await withCounters(
        paths,
        await withLeased(
          paths,
          view,
          names.map((name) => findNode(view, name)),
        ),
        session.signal,
      );
      if (options.json)
        printJson(
          session,
          nodes.map((node) => ({ ...node, yard: view.yard, datapath: view.datapath })),
        );
      else
        nodes.forEach((node, at) => {
          print(session, ...(at > 0 ? [""] : []), ...renderNode(view, node, Date.now(), session.style));
        });
    });
  examples(
    command,
    ["yard inspect web", "one node"],
    ["ip netns exec $(yard inspect web --json | jq -r '.[0].namespace') ss -tln", "use its namespace"],
    ["ovs-appctl ofproto/trace …", "with the port names that it prints"],
  );
}
