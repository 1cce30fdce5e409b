/** QEMU's background jobs (qapi/job.json): snapshots and copies of disks. */
import { YardError } from "@switchyard/base";
import { isRecord, type QmpClient, type QmpPatience } from "./qmp.ts";

/** Milliseconds that a job may take; disks are large. */
const TIMEOUT = 3_600_000;

/**
 * Begins a job, and waits until it has concluded.
 *
 * @param begin has QEMU begin the job of that id, which must not dismiss itself
 * @throws YardError `vm.job-failed` with QEMU's reason, and what `begin` throws
 */
export async function runJob(
  qmp: QmpClient,
  id: string,
  begin: () => Promise<unknown>,
  patience: QmpPatience,
): Promise<void> {
  await dismiss(qmp, id);
  const concluded = qmp.event(
    ({ event, data }) => event === "JOB_STATUS_CHANGE" && data.id === id && data.status === "concluded",
    `word that ${id} is done`,
    { ...patience, timeout: TIMEOUT },
  );
  concluded.catch(() => undefined);
  await begin();
  try {
    await concluded;
  } catch (error) {
    // Nobody waits for it any more.
    await qmp.execute("job-cancel", { id }).catch(() => undefined);
    throw error;
  }
  const failure = await dismiss(qmp, id);
  if (failure !== undefined) throw new YardError("vm.job-failed", `${id}: ${failure}`);
}

/**
 * Has QEMU forget a job that has concluded; somebody who was killed may have left one.
 *
 * @returns why it failed, undefined when it did not or is not there
 */
async function dismiss(qmp: QmpClient, id: string): Promise<string | undefined> {
  const jobs = await qmp.execute("query-jobs");
  const job: unknown = Array.isArray(jobs) ? jobs.find((entry) => isRecord(entry) && entry.id === id) : undefined;
  if (!isRecord(job) || job.status !== "concluded") return undefined;
  await qmp.execute("job-dismiss", { id });
  return typeof job.error === "string" ? job.error : undefined;
}
