import { YardError } from "@switchyard/base";
import { addressFor, iperf } from "@switchyard/yard/checks";
import { findRunningNode } from "@switchyard/yard/view";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";

interface Options extends CommonOptions {
  readonly time: number;
  readonly parallel: number;
  readonly reverse?: boolean;
}

/** `yard iperf A B` */
export function define(command: Command, session: Session): void {
  command
    .description("Measure TCP throughput from node A to node B, with the host's iperf3 in both.")
    .argument("<a>", "the node that sends")
    .argument("<b>", "the node that receives")
    .option("-t, --time <seconds>", "how long", wholeNumber(1, 3_600), 3)
    .option("-P, --parallel <streams>", "streams side by side", wholeNumber(1, 128), 1)
    .option("-R, --reverse", "from B to A instead")
    .option("--json", JSON_HELP)
    .action(async (a: string, b: string, options: Options) => {
      await measure(session, yardName(command, session.env), a, b, options);
    });
  examples(
    command,
    ["yard iperf web router", "three seconds of one stream"],
    ["yard iperf -t 10 -P 4 a b", "longer, and wider"],
  );
}

async function measure(session: Session, yard: string, a: string, b: string, options: Options): Promise<void> {
  needRoot(["-y", yard, "iperf", a, b], "to enter nodes");
  const view = await readYard(session, yard);
  const from = findRunningNode(view, a);
  const to = findRunningNode(view, b);
  for (const { name, namespace, kind } of [from, to])
    if (namespace === "")
      throw new YardError("node.no-namespace", `node ${name} is a ${kind}, in which the host's iperf3 cannot run`, {
        hint: "run iperf3 in it by `yard exec`",
      });
  const address = addressFor(from, to);
  if (address === undefined)
    throw new YardError("node.no-address", `node ${b} has no IP address`, { hint: "give one of its nics an ip" });
  const { time: seconds, parallel, reverse = false } = options;
  const result = await iperf(from.namespace, to.namespace, address, {
    seconds,
    parallel,
    reverse,
    signal: session.signal,
  });
  const [sender, receiver] = reverse ? [b, a] : [a, b];
  if (options.json) printJson(session, { from: sender, to: receiver, address, ...result });
  else print(session, `${sender} -> ${receiver}: ${gigabits(result.bitsPerSecond)} in ${result.seconds.toFixed(1)} s`);
}

/** `7.42 Gbit/s` */
function gigabits(bitsPerSecond: number): string {
  const value = bitsPerSecond / 1e9;
  return `${value.toFixed(value < 0.1 ? 4 : 2)} Gbit/s`;
}
