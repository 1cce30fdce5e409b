import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { stopYard } from "@switchyard/yard/agent";
import { yardPaths } from "@switchyard/yard/paths";
import { rowsOf, type Store, withdrawLabs } from "@switchyard/yard/store";
import type { Command } from "commander";
import { changesText } from "../changes.ts";
import { converge, failureErrors, openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { parseLabFile } from "../parse.ts";
import { took } from "../render/duration.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, yardName } from "../session.ts";

interface Options extends CommonOptions {
  readonly all?: boolean;
}

/** `yard down [FILE] [--all]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Take a lab away, without a trace. Without FILE all labs of the yard; what was added command by\n" +
        "command stays. With --all the yard itself goes, with all that is in it: its agent, its switch,\n" +
        "its database (never the host's own switch).",
    )
    .argument("[file]", "the lab file (default: all labs of the yard)")
    .option("--all", "take the whole yard away")
    .option("--json", JSON_HELP)
    .action(async (file: string | undefined, options: Options) => {
      const yard = yardName(command, session.env);
      if (file !== undefined && options.all)
        throw new YardError("usage.wrong", "--all takes the whole yard away, so no FILE goes with it", {
          hint: "leave one of them out",
        });
      if (options.all) await downAll(session, yard, options);
      else await down(session, yard, file, options);
    });
  examples(
    command,
    ["sudo yard down", "all labs of the yard main"],
    ["sudo yard down office.yard.yaml", "only that lab"],
    ["sudo yard down --all", "the yard itself"],
    ["sudo yard -y test down --all", "the yard test"],
  );
}

async function down(session: Session, yard: string, file: string | undefined, options: Options): Promise<void> {
  const began = performance.now();
  const report = (text: string | undefined, details: object) => {
    const milliseconds = performance.now() - began;
    if (options.json) printJson(session, { yard, ...details, milliseconds });
    else print(session, `${text ?? "nothing to do"} (${took(milliseconds)})`);
  };
  const paths = yardPaths(yard, session.env);
  if (!existsSync(paths.databaseSocket) && !existsSync(paths.database)) return report(undefined, { removed: [] });
  await using live = await openLiveYard(session, yard);
  const labs =
    file === undefined ? rowsOf(live.store.db).labs.map(({ name }) => name) : [labOf(session, live.store, file)];
  if (labs.length === 0) return report(undefined, { removed: [] });
  const { changes, failures } = await converge(
    session,
    live,
    `down ${labs.join(" ")}`,
    () => withdrawLabs(live.store, labs, { signal: session.signal }),
    { labs },
  );
  const error = failureErrors(failures);
  if (error !== undefined) throw error;
  report(changesText(changes), changes);
}

async function downAll(session: Session, yard: string, options: Options): Promise<void> {
  const began = performance.now();
  const { agentSocket, run, state } = yardPaths(yard, session.env);
  if (!existsSync(agentSocket) && (existsSync(run) || existsSync(state)))
    needRoot(["-y", yard, "down", "--all"], "to clean up a yard whose agent does not run");
  const gone = await stopYard(yard);
  const milliseconds = performance.now() - began;
  if (options.json) printJson(session, { yard, gone, milliseconds });
  else print(session, `${gone ? `yard ${yard} is gone` : "nothing to do"} (${took(milliseconds)})`);
}

/** The lab of a file: by the path that it was brought up from, even if the file is broken or gone now, else by name. */
function labOf(session: Session, store: Store, given: string): string {
  const file = resolve(session.cwd, given);
  const { labs } = rowsOf(store.db);
  return labs.find((lab) => lab.file === file)?.name ?? parseLabFile(session, given).name;
}
