/** What every place answers: whether it is there, how it is, and its jobs. */
import { YardError } from "@switchyard/base";
import { z } from "zod";
import { command, type Handler } from "../job.ts";
import type { Jobs, RunningJob } from "../jobs.ts";

const listSchema = z.object({ id: z.string().nullish() });
const killSchema = z.object({ id: z.string(), signal: z.number().int().nullish() });

/** @param version of Switchyard */
export function coreCommands(jobs: Jobs, version: string): Readonly<Record<string, Handler>> {
  return {
    "core.ping": command(z.unknown(), async () => `PONG Version: switchyard ${version}`),
    "core.state": command(z.unknown(), async () => {
      const { rss } = process.memoryUsage();
      return { cpu: 0, rss, vms: 0, swap: 0 };
    }),
    "info.version": command(z.unknown(), async () => ({ branch: "switchyard", revision: version, dirty: false })),
    "job.list": command(listSchema, async ({ id }) => {
      if (!id) return jobs.list().map(jobJson);
      return [jobJson(known(jobs, id))];
    }),
    "job.kill": command(killSchema, async ({ id }) => {
      known(jobs, id).kill();
      return true;
    }),
  };
}

/** @throws YardError `zeroos.no-job` */
function known(jobs: Jobs, id: string): RunningJob {
  const job = jobs.get(id);
  if (job === undefined) throw new YardError("zeroos.no-job", `no job ${id} runs`);
  return job;
}

function jobJson({ id, command: { id: _, ...rest }, started }: RunningJob): object {
  return { cpu: 0, rss: 0, vms: 0, swap: 0, starttime: started, cmd: { id, ...rest } };
}
