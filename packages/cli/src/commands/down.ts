import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { connectAgent, failureErrors } from "@switchyard/yard/client";
import { yardPaths } from "@switchyard/yard/paths";
import type { Changes, RowFailure, Rows } from "@switchyard/yard/store";
import type { Command } from "commander";
import { changesText } from "../changes.ts";
import { yardRuns } from "../connect.ts";
import { examples, JSON_HELP } from "../help.ts";
import { took } from "../render/duration.ts";
import {
  type CommonOptions,
  Interrupted,
  needRoot,
  print,
  printJson,
  type Session,
  say,
  yardName,
} from "../session.ts";
import { applyThrough } from "../swift.ts";

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
  const paths = yardPaths(yard, session.env);
  const runs = yardRuns(session, yard) || existsSync(paths.database);
  const lowered = runs ? await lowerAnyway(session, yard, file) : NOTHING;
  const error = failureErrors(lowered.failures);
  if (error !== undefined) throw error;
  const milliseconds = performance.now() - began;
  if (options.json) printJson(session, { yard, ...lowered.changes, milliseconds });
  else print(session, `${changesText(lowered.changes) ?? "nothing to do"} (${took(milliseconds)})`);
}

/** Labs that were taken away, or as far as they went. */
interface Lowered {
  readonly changes: Changes;
  readonly failures: readonly RowFailure[];
}

async function lowerAnyway(session: Session, yard: string, file: string | undefined): Promise<Lowered> {
  let written = false;
  const onWritten = () => {
    written = true;
  };
  try {
    return (await lowerThrough(session, yard, file, onWritten)) ?? (await lower(session, yard, file, onWritten));
  } catch (error) {
    if (error instanceof Interrupted)
      say(session, `interrupted: ${written ? "the agent goes on taking it away" : "nothing was changed"}`);
    throw error;
  }
}

const NOTHING: Lowered = { changes: { added: [], changed: [], removed: [] }, failures: [] };

/** Through the agent that runs; undefined when none does, or does not know a lab of that file. */
async function lowerThrough(
  session: Session,
  yard: string,
  given: string | undefined,
  onWritten: () => void,
): Promise<Lowered | undefined> {
  await using agent = await connectAgent(yardPaths(yard, session.env), session.signal);
  if (agent === undefined) return undefined;
  const file = given === undefined ? {} : { file: resolve(session.cwd, given) };
  const title = given === undefined ? "down" : `down ${given}`;
  const applied = await applyThrough(
    session,
    agent,
    title,
    () => agent.down(file),
    ({ labs }) => {
      if (labs.length > 0) onWritten();
      return labs;
    },
  );
  if (applied === undefined || (given !== undefined && applied.reply.labs.length === 0)) return undefined;
  return { changes: applied.reply.changes, failures: applied.failures };
}

async function lower(
  session: Session,
  yard: string,
  file: string | undefined,
  onWritten: () => void,
): Promise<Lowered> {
  const [{ converge, openLiveYard }, { rowsOf, withdrawLabs }] = await Promise.all([
    import("../converge.ts"),
    import("@switchyard/yard/store"),
  ]);
  await using live = await openLiveYard(session, yard);
  const present = rowsOf(live.store.db).labs;
  const labs = file === undefined ? present.map(({ name }) => name) : [await labOf(session, present, file)];
  const title = `down ${labs.join(" ")}`;
  const write = async () => {
    const withdrawn = await withdrawLabs(live.store, labs, { signal: session.signal });
    onWritten();
    return withdrawn;
  };
  return await converge(session, live, title, write, { labs });
}

async function downAll(session: Session, yard: string, options: Options): Promise<void> {
  const began = performance.now();
  const { run, state } = yardPaths(yard, session.env);
  if (!yardRuns(session, yard) && (existsSync(run) || existsSync(state)))
    needRoot(["-y", yard, "down", "--all"], "to clean up a yard whose agent does not run");
  const { stopYard } = await import("@switchyard/yard/agent");
  const gone = await stopYard(yard, session.signal).catch((error) => {
    if (error instanceof Interrupted) say(session, "interrupted: an agent that runs goes on taking the yard away");
    throw error;
  });
  const milliseconds = performance.now() - began;
  if (options.json) printJson(session, { yard, gone, milliseconds });
  else print(session, `${gone ? `yard ${yard} is gone` : "nothing to do"} (${took(milliseconds)})`);
}

/** The lab of a file: by the path that it was brought up from, even if the file is broken or gone now, else by name. */
async function labOf(session: Session, present: Rows["labs"], given: string): Promise<string> {
  const file = resolve(session.cwd, given);
  const known = present.find((lab) => lab.file === file);
  if (known) return known.name;
  const { parseLabFile } = await import("../parse.ts");
  return (await parseLabFile(session, given)).name;
}
