import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { probeDatapath } from "./datapath.ts";
import { works } from "./ensure-edit.ts";
import type { ApplyOptions, Switch } from "./types.ts";

type Datapath = "system" | "netdev";

const found = new WeakMap<Switch, { readonly run: string; readonly datapath: Datapath }>();
const trying = new WeakMap<Switch, Promise<Datapath>>();

/**
 * The best datapath that really works here: found by trying, once in each run of the switch. A bridge of the kernel's
 * that works is proof enough.
 *
 * @throws as {@link probeDatapath}
 */
export async function bestDatapath(db: Switch, options: Pick<ApplyOptions, "timeout"> = {}): Promise<Datapath> {
  if (kernelWorks(db)) return "system";
  const run = runOf(db);
  const known = found.get(db);
  if (run !== undefined && known?.run === run) return known.datapath;
  // Who asks meanwhile is answered by the same trial.
  const present = trying.get(db);
  if (present !== undefined) return present;
  const trial = tryKernel(db, options.timeout).finally(() => trying.delete(db));
  trying.set(db, trial);
  const datapath = await trial;
  if (run !== undefined) found.set(db, { run, datapath });
  return datapath;
}

async function tryKernel(db: Switch, timeout: number | undefined): Promise<Datapath> {
  const limits = timeout === undefined ? {} : { timeout };
  // One process at a time: they all try with a bridge of one name.
  await using turn = db.lock("switchyard_probe");
  await turn.acquired(limits);
  if (kernelWorks(db)) return "system";
  const datapath = await probeDatapath({ db, ...limits });
  // With its last bridge the kernel's datapath goes whole; one that is made anew at that moment may fail.
  if (datapath === "system" || !existsSync("/sys/module/openvswitch")) return datapath;
  return kernelWorks(db) ? "system" : probeDatapath({ db, ...limits });
}

function kernelWorks(db: Switch): boolean {
  return [...db.table("Bridge")].some(({ name, datapath_type }) => {
    const local = db.table("Interface").find({ name });
    return (datapath_type === "" || datapath_type === "system") && local !== undefined && works(local);
  });
}

/** What tells one run of the switch from the next: the process that its pid file, beside the database socket, names. */
function runOf(db: Switch): string | undefined {
  const path = /^unix:(.*)$/.exec(db.remote ?? "")?.[1];
  if (path === undefined) return undefined;
  try {
    return readFileSync(join(dirname(path), "ovs-vswitchd.pid"), "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
