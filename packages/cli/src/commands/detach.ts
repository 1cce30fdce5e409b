import { detachNic } from "@switchyard/yard/store";
import { findNic, findNode } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";
import type { Command } from "commander";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { parseNicPath } from "../target.ts";
import { report } from "./add.ts";

/** `yard detach NODE:NIC` */
export function define(command: Command, session: Session): void {
  command
    .description("Take a nic away from a node.")
    .argument("<nic>", "NODE:NIC")
    .option("--json", JSON_HELP)
    .action(async (path: string, options: CommonOptions) => {
      const began = performance.now();
      const yard = yardName(command, session.env);
      const { node, nic } = parseNicPath(path);
      await using live = await openLiveYard(session, yard);
      findNic(findNode(currentView(yard, live.store), node), nic);
      const write = () => detachNic(live.store, node, nic);
      const changed = await commit(session, live, `detach ${path}`, write, { nodes: [node] });
      report(session, options, `nic ${path}`, changed, began, "detached");
    });
  examples(command, ["yard detach web:eth1", "web has eth0 left"]);
}
