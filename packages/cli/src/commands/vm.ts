import { YardError } from "@switchyard/base";
import type { VmEngine } from "@switchyard/runtime";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { openInside } from "../inside.ts";
import { wholeNumber } from "../options.ts";
import { subcommand } from "../program.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { report } from "./add.ts";

interface Options extends CommonOptions {
  readonly grace?: number;
}

/** What can be done to a machine: its name, what it does, what it has done, and how. */
interface Deed {
  readonly name: string;
  readonly summary: string;
  readonly done: string;
  readonly act: (engine: VmEngine, machine: string, options: Options, signal: AbortSignal) => Promise<unknown>;
}

/** Seconds that a guest has for shutting down. */
const GRACE = 60;

const deeds: readonly Deed[] = [
  {
    name: "pause",
    summary: "have it stand still",
    done: "paused",
    act: (engine, machine, _options, signal) => engine.pause(machine, signal),
  },
  {
    name: "resume",
    summary: "let it go on",
    done: "resumed",
    act: (engine, machine, _options, signal) => engine.resume(machine, signal),
  },
  {
    name: "shutdown",
    summary: "press its power button, and switch it off when it does not heed that",
    done: "shut down",
    act: (engine, machine, { grace = GRACE }, signal) => engine.stop(machine, grace * 1000, signal),
  },
  {
    name: "start",
    summary: "switch it on again",
    done: "started",
    act: (engine, machine, _options, signal) => engine.start(machine, signal),
  },
  {
    name: "reset",
    summary: "press its reset button",
    done: "reset",
    act: (engine, machine, _options, signal) => engine.reset(machine, signal),
  },
];

/** `yard vm pause|resume|shutdown|start|reset NODE` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Press the buttons of a virtual machine. What is declared of it stays: `up` starts one that is off\n" +
        "(`yard stop` has it stay off).",
    )
    .argument("[what]", deeds.map(({ name }) => name).join(", "))
    .action((what: string | undefined) => {
      const names = deeds.map(({ name }) => name).join(", ");
      throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `"${what}" is no button`, {
        hint: `one of ${names}: yard vm pause NODE`,
      });
    });
  for (const deed of deeds) defineDeed(subcommand(command, deed.name, deed.summary, session), session, deed);
  examples(
    command,
    ["yard vm pause web", "it stands still"],
    ["yard vm shutdown web --grace 10", "off, by force after 10 seconds"],
  );
}

function defineDeed(command: Command, session: Session, { name, done, act }: Deed): void {
  command.argument("<node>", "name of a virtual machine");
  if (name === "shutdown")
    command.option(
      "--grace <seconds>",
      `until it is switched off; 0 at once (default: ${GRACE})`,
      wholeNumber(0, 3600),
    );
  command.option("--json", JSON_HELP).action(async (node: string, options: Options) => {
    const began = performance.now();
    const yard = yardName(command, session.env);
    await using inside = await openInside(session, yard, ["-y", yard, "vm", name, node]);
    const machine = await (name === "start" ? inside.theBootable(node) : inside.theMachine(node));
    await act(machine.engine, machine.name, options, session.signal);
    report(session, options, node, true, began, done);
  });
  examples(command, [`yard vm ${name} web`, ""]);
}
