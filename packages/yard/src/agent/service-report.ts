/** What a process of the yard that follows a configuration file tells of it, in `<file>.status` beside it. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { deadline, delay } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import { z } from "zod";

/** Milliseconds that a process may take to start and to take a configuration. */
const LIMIT = 5_000;
/** Milliseconds that it has to do what it could not do at first. */
const SECOND_CHANCE = 1_000;

/** What could not be done, and for whom: a text of subject.ts. */
const failureSchema = z.strictObject({ purpose: z.string(), message: z.string() });
export type ServiceFailure = z.infer<typeof failureSchema>;

/** The configuration that has been taken is quoted, so that no report is taken for another's. */
const reportSchema = z.strictObject({ config: z.string(), failures: z.array(failureSchema) });
type Report = z.infer<typeof reportSchema>;

/** How the process reports: the same again is not written. */
export function reporter(file: string): (report: Report) => void {
  let reported = "";
  return (report) => {
    const text = JSON.stringify(report);
    if (text === reported) return;
    writeFileSync(`${file}.status.new`, text);
    renameSync(`${file}.status.new`, `${file}.status`);
    reported = text;
  };
}

/** Calls `listener` whenever the process has something new to tell of the configuration `file`. */
export function watchReports(file: string, listener: () => void): Disposable {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  return watchFolder(folder, (names) => {
    if (names === undefined || names.has(`${basename(file)}.status`)) listener();
  });
}

/**
 * Waits until the process has taken the configuration `text` of `file`.
 *
 * @param patient whether something has been changed, so that what the process told as failed may yet succeed: it is
 * given {@link SECOND_CHANCE}
 * @returns what it could not do
 * @throws YardError `service.not-reporting`
 */
export async function serviceReport(
  file: string,
  text: string,
  patient: boolean,
  parent: AbortSignal,
): Promise<readonly ServiceFailure[]> {
  const status = `${file}.status`;
  using limit = deadline(LIMIT, "service.not-reporting", `the process that follows ${file} did not report`, parent);
  const until = performance.now() + (patient ? SECOND_CHANCE : 0);
  for (;;) {
    const { promise: changed, resolve, reject } = Promise.withResolvers<void>();
    using _watch = watchFolder(dirname(file), (names) => {
      if (names === undefined || names.has(basename(status))) resolve();
    });
    const aborted = () => reject(limit.reason);
    limit.addEventListener("abort", aborted, { once: true });
    try {
      const report = existsSync(status) ? reportSchema.safeParse(JSON.parse(readFileSync(status, "utf8"))) : undefined;
      const told = report?.success && report.data.config === text ? report.data.failures : undefined;
      const left = until - performance.now();
      if (told !== undefined && (told.length === 0 || left <= 0)) return told;
      limit.throwIfAborted();
      await (told === undefined ? changed : Promise.race([changed, delay(left, limit)]));
    } finally {
      limit.removeEventListener("abort", aborted);
      changed.catch(() => {});
    }
  }
}
