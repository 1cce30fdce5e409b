import { spyNic } from "@switchyard/yard/store";
import { currentView } from "@switchyard/yard/view/store";
import { Argument, type Command } from "commander";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { findNicPath } from "../target.ts";
import { report } from "./add.ts";

/** `yard spy NODE:NIC on|off` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Mirror all that passes a nic to an interface of its own, s_k_<obj_id>_<n> in the yard's namespace,\n" +
        "or no longer. A lab file says the same by `spy: true`; `yard capture` needs neither.",
    )
    .argument("<nic>", "NODE:NIC, the nic by its name or its number")
    .addArgument(new Argument("<state>", "whether it is to be there").choices(["on", "off"]))
    .option("--json", JSON_HELP)
    .action(async (path: string, state: string, options: CommonOptions) => {
      await spy(session, yardName(command, session.env), path, state === "on", options);
    });
  examples(
    command,
    ["yard spy web:eth0 on", "and then: sudo ip netns exec yard_main tcpdump -ni s_k_1_0"],
    ["yard spy web:0 off", "the same nic, by its number"],
  );
}

async function spy(session: Session, yard: string, path: string, on: boolean, options: CommonOptions): Promise<void> {
  const began = performance.now();
  await using live = await openLiveYard(session, yard);
  const { node, nic } = findNicPath(currentView(yard, live.store), path);
  const write = () => spyNic(live.store, node.name, nic.name, on);
  const changed = await commit(session, live, `spy ${path}`, write, { nodes: [node.name] });
  const seen = findNicPath(currentView(yard, live.store), path).nic.spy;
  const verb = seen === null ? "no longer spied on" : `spied on: ${seen}`;
  report(session, options, `nic ${node.name}:${nic.name}`, changed, began, verb);
}
