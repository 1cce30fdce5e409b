import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { probeDatapath } from "./datapath.ts";
import { works } from "./ensure-edit.ts";
import type { ApplyOptions, Switch } from "./types.ts";

type Datapath = "system" | "netdev";

const found = new WeakMap<Switch, { readonly run: string; readonly datapath: Datapath }>();

/**
 * The best datapath that really works here: found by trying, once in each run of the switch. A bridge of the kernel's
 * that works is proof enough.
 *
 * @throws as {@link probeDatapath}
 */
export async function bestDatapath(
  db: Switch,
  options: Pick<ApplyOptions, "signal" | "timeout"> = {},
): Promise<Datapath> {
  if (kernelWorks(db)) return "system";
  const run = runOf(db);
  const known = found.get(db);
  if (run !== undefined && known?.run === run) return known.datapath;
  // One at a time: they all try with a bridge of one name.
  await using turn = db.lock("switchyard_probe");
  await turn.acquired(options);
  const datapath = kernelWorks(db) ? "system" : await probeDatapath({ db, ...options });
  if (run !== undefined) found.set(db, { run, datapath });
  return datapath;
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
