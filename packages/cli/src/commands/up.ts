import { connectAgent, failureErrors } from "@switchyard/yard/client";
import type { CheckSpec } from "@switchyard/yard/model";
import { yardPaths } from "@switchyard/yard/paths";
import type { Changes, RowFailure } from "@switchyard/yard/store";
import type { Command } from "commander";
import { changesText } from "../changes.ts";
import { examples, FILE_HELP, JSON_HELP } from "../help.ts";
import { type LabText, readLabFile, shownPath } from "../labfile.ts";
import { took } from "../render/duration.ts";
import { type CommonOptions, Interrupted, print, printJson, type Session, say, yardName } from "../session.ts";
import { applyThrough } from "../swift.ts";

interface Options extends CommonOptions {
  readonly check?: boolean;
}

/** `yard up [FILE]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Make a lab so. Run again it changes nothing; after an edit of the file it applies just the\n" +
        "difference. What fails is named, stays declared and is tried again by the agent. The yard is\n" +
        "started where it does not run.",
    )
    .argument("[file]", FILE_HELP)
    .option("--check", "run the lab's checks once it is up")
    .option("--json", JSON_HELP)
    .action(async (file: string | undefined, options: Options) =>
      up(session, yardName(command, session.env), file, options),
    );
  examples(
    command,
    ["sudo yard up", "the lab file of this folder"],
    ["sudo yard up office.yard.yaml --check", "and prove that it works"],
    ["sudo yard -y test up", "in a yard of its own, side by side"],
    ["yard plan", "see first what it would do"],
  );
}

/** A lab that was brought up, or as far as it came. */
interface Raised {
  readonly lab: string;
  readonly checks: readonly CheckSpec[];
  readonly changes: Changes;
  readonly failures: readonly RowFailure[];
}

async function up(session: Session, yard: string, file: string | undefined, options: Options): Promise<void> {
  const began = performance.now();
  const source = await readLabFile(session.cwd, file, session.signal);
  const raised = (await raiseThrough(session, yard, source)) ?? (await raise(session, yard, source));
  const { lab, changes, failures } = raised;
  const error = failureErrors(failures);
  const milliseconds = performance.now() - began;
  if (options.json && !options.check) printJson(session, { lab, yard, ...changes, failures, milliseconds });
  else if (!options.json) {
    const what = changesText(changes) ?? (error === undefined ? "nothing to do" : "nothing has changed");
    print(session, `${session.style.bold(`lab ${lab}`)}: ${what} (${took(milliseconds)})`);
  }
  if (error !== undefined) {
    if (!options.json) say(session, `lab ${lab} is not all up; it stays declared, and the agent keeps trying`);
    throw error;
  }
  if (options.check) {
    const { check } = await import("./check.ts");
    await check(session, yard, [{ lab, checks: raised.checks }], options);
  }
}

/** Through the agent that runs; undefined when none does. */
async function raiseThrough(session: Session, yard: string, { file, text }: LabText): Promise<Raised | undefined> {
  const shown = shownPath(session.cwd, file);
  const { DOCKER_HOST, CONTAINER_HOST } = session.env;
  const environment = { ...(DOCKER_HOST ? { DOCKER_HOST } : {}), ...(CONTAINER_HOST ? { CONTAINER_HOST } : {}) };
  let declared: string | undefined;
  try {
    await using agent = await connectAgent(yardPaths(yard, session.env), session.signal);
    if (agent === undefined) return undefined;
    const applied = await applyThrough(
      session,
      agent,
      `up ${shown}`,
      () => agent.up({ text, file, shown, environment }),
      ({ lab }) => {
        declared = lab;
        return [lab];
      },
    );
    return applied && { ...applied.reply, failures: applied.failures };
  } catch (error) {
    throw tellInterruption(session, error, declared);
  }
}

/** With an agent that is started first: all errors of the file come before that, so that nothing has been touched. */
async function raise(session: Session, yard: string, source: LabText): Promise<Raised> {
  const [{ parseText }, { converge, openLiveYard }, { checkHost, declareLab }] = await Promise.all([
    import("../parse.ts"),
    import("../converge.ts"),
    import("@switchyard/yard/store"),
  ]);
  const { lab, locate } = parseText(session, source);
  checkHost(yard, lab.networks, locate);
  let declared: string | undefined;
  try {
    await using live = await openLiveYard(session, yard);
    const place = { yard, host: live.host };
    const write = async () => {
      const result = await declareLab(live.store, lab, place, { signal: session.signal, locate });
      declared = lab.name;
      return result;
    };
    const { changes, failures } = await converge(session, live, `up ${lab.name}`, write, { labs: [lab.name] });
    return { lab: lab.name, checks: lab.checks, changes, failures };
  } catch (error) {
    throw tellInterruption(session, error, declared);
  }
}

function tellInterruption(session: Session, error: unknown, declared: string | undefined): unknown {
  if (error instanceof Interrupted)
    say(
      session,
      declared === undefined
        ? "interrupted: nothing was declared"
        : `interrupted: lab ${declared} stays declared and the agent goes on with it; \`yard ps\` shows how far it is, \`yard down\` takes it away`,
    );
  return error;
}
