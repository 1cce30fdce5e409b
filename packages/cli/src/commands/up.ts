import type { Lab } from "@switchyard/yard/model";
import { declareLab } from "@switchyard/yard/store";
import type { Command } from "commander";
import { changesText } from "../changes.ts";
import { type Converged, converge, failureErrors, openLiveYard } from "../converge.ts";
import { examples, FILE_HELP, JSON_HELP } from "../help.ts";
import { parseLabFile } from "../parse.ts";
import { took } from "../render/duration.ts";
import { type CommonOptions, Interrupted, print, printJson, type Session, say, yardName } from "../session.ts";
import { check } from "./check.ts";

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

async function up(session: Session, yard: string, file: string | undefined, options: Options): Promise<void> {
  const began = performance.now();
  // All errors of the file come first: nothing has been touched then.
  const lab = parseLabFile(session, file);
  const converged = await declare(session, yard, lab);
  const { changes, failures } = converged;
  const error = failureErrors(failures);
  const milliseconds = performance.now() - began;
  if (options.json && !options.check) printJson(session, { lab: lab.name, yard, ...changes, failures, milliseconds });
  else if (!options.json) {
    const what = changesText(changes) ?? (error === undefined ? "nothing to do" : "nothing has changed");
    print(session, `${session.style.bold(`lab ${lab.name}`)}: ${what} (${took(milliseconds)})`);
  }
  if (error !== undefined) {
    if (!options.json) say(session, `lab ${lab.name} is not all up; it stays declared, and the agent keeps trying`);
    throw error;
  }
  if (options.check) await check(session, yard, [{ lab: lab.name, checks: lab.checks }], options);
}

async function declare(session: Session, yard: string, lab: Lab): Promise<Converged<{ readonly cfg: number }>> {
  await using live = await openLiveYard(session, yard);
  const place = { yard, host: live.host };
  let written = false;
  try {
    return await converge(
      session,
      live,
      `up ${lab.name}`,
      async () => {
        const declared = await declareLab(live.store, lab, place, { signal: session.signal });
        written = true;
        return declared;
      },
      { labs: [lab.name] },
    );
  } catch (error) {
    if (error instanceof Interrupted)
      say(
        session,
        written
          ? `interrupted: lab ${lab.name} stays declared and the agent goes on with it; \`yard ps\` shows how far it is, \`yard down\` takes it away`
          : "interrupted: nothing was declared",
      );
    throw error;
  }
}
