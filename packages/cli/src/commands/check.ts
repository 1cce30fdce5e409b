import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { type CheckResult, type LabChecks, runChecks } from "@switchyard/yard/checks";
import type { Inside } from "@switchyard/yard/inside";
import { rowsOf } from "@switchyard/yard/store";
import { findLab } from "@switchyard/yard/view";
import type { Command } from "commander";
import { openYard } from "../connect.ts";
import { examples, JSON_HELP } from "../help.ts";
import { openInside } from "../inside.ts";
import { parseLabFile } from "../parse.ts";
import { renderChecks } from "../render/check.ts";
import { junitXml } from "../render/junit.ts";
import { createProgress } from "../render/progress.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";

interface Options extends CommonOptions {
  readonly junit?: string;
}

/** `yard check [FILE]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Run the checks of a lab, side by side: what reaches what, and what does not. Without FILE those\n" +
        "of all labs of the yard. Exit code 1 when one did not come out as expected.",
    )
    .argument("[file]", "the lab file (default: all labs of the yard, as they were brought up)")
    .option("--junit <file>", "write a JUnit report too")
    .option("--json", JSON_HELP)
    .action(async (file: string | undefined, options: Options) => {
      const yard = yardName(command, session.env);
      const labs = file === undefined ? await declaredChecks(session, yard) : [await checksOf(session, file)];
      await check(session, yard, labs, options);
    });
  examples(
    command,
    ["yard check", "all labs"],
    ["yard check office.yard.yaml", "the checks of that file as it is now"],
    ["yard up --check", "bring up, then check"],
    ["yard check --junit report.xml", "for a CI server"],
  );
}

/** Runs checks and shows what came of them; the session's exit code is 1 when one is not as expected. */
export async function check(
  session: Session,
  yard: string,
  labs: readonly LabChecks[],
  options: Options,
): Promise<void> {
  await using inside = await openInside(session, yard, ["-y", yard, "check"]);
  for (const { lab } of labs) findLab(inside.view, lab);
  const began = performance.now();
  const results = await withProgress(session, inside, labs);
  if (options.junit !== undefined) writeReport(resolve(session.cwd, options.junit), labs, results);
  if (options.json) printJson(session, results);
  else print(session, ...renderChecks(results, performance.now() - began, session.style));
  if (results.some(({ ok }) => !ok)) session.exitCode = 1;
}

async function withProgress(session: Session, inside: Inside, labs: readonly LabChecks[]): Promise<CheckResult[]> {
  using progress = createProgress(session.streams.stderr, "check", session.errorStyle);
  return await runChecks(inside, labs, {
    signal: session.signal,
    onDone: (done, total) => progress.show({ done, total, text: "" }),
  });
}

async function checksOf(session: Session, file: string): Promise<LabChecks> {
  const { name, checks } = await parseLabFile(session, file);
  return { lab: name, checks };
}

async function declaredChecks(session: Session, yard: string): Promise<LabChecks[]> {
  await using store = await openYard(session, yard);
  return rowsOf(store.db).labs.map(({ name, checks }) => ({ lab: name, checks }));
}

function writeReport(file: string, labs: readonly LabChecks[], results: readonly CheckResult[]): void {
  const suites = labs.map(({ lab }) => ({
    name: lab,
    timestamp: new Date(),
    cases: results
      .filter((result) => result.lab === lab)
      .map(({ name, ok, expect, found, milliseconds }) => ({
        name,
        time: milliseconds / 1_000,
        failure: ok ? undefined : `expected to ${expect}: ${found}`,
      })),
  }));
  try {
    writeFileSync(file, junitXml(suites));
  } catch (cause) {
    throw new YardError("check.report-unwritable", `the report ${file} cannot be written`, { cause });
  }
}
