import { deadline, YardError } from "@switchyard/base";
import { ConnectError, ConstraintViolationError, OutcomeUnknownError } from "@switchyard/ovsdb";
import type { InterfaceRow } from "../schema/open_vswitch.gen.ts";
import { type Built, ChangeWriter } from "./change.ts";
import { OWNER } from "./marks.ts";
import { parseHubName, pipeNames } from "./names.ts";
import { interfaceOf, observeSwitch } from "./observe.ts";
import { openSwitch } from "./open.ts";
import type {
  ApplyOptions,
  PortState,
  Switch,
  SwitchChange,
  SwitchFailure,
  SwitchResult,
  SwitchState,
} from "./types.ts";

const TIMEOUT = 30_000;

/**
 * Makes a change in one transaction, and waits until the switch has taken it. What the switch could not make is
 * told, one failure for each; the rest stands. What bears another owner's mark, or none, is never touched. May be
 * repeated: what is so already is not written, but waited for and looked at again.
 *
 * @throws YardError `switch.not-answering` when ovs-vswitchd does not take it in time: the change stays in the
 * database, and is taken when it runs again
 * @throws the errors of ovsdb's `transact`; the signal's reason
 */
export async function applySwitch(db: Switch, change: SwitchChange, options: ApplyOptions): Promise<SwitchResult> {
  const limit = options.timeout ?? TIMEOUT;
  using until = deadline(
    limit,
    "switch.not-answering",
    `ovs-vswitchd did not take the change within ${limit} ms`,
    options.signal,
  );
  const built = await commit(db, change, options.owner, until);
  await options.devices?.();
  if (options.wait === false)
    return {
      changed: built.cfg !== undefined,
      cfg: Number(db.table("Open_vSwitch").single()?.cur_cfg ?? 0),
      failures: built.failures,
    };
  let cfg = await settle(db, built.cfg?.(), until);
  let failed = inspect(db, change, built.failures);
  if (options.devices && failed.length > 0) {
    // It may have looked for a device just before that came.
    cfg = await settle(db, await askAgain(db, until), until);
    failed = inspect(db, change, built.failures);
  }
  const withdrawn = options.withdrawFailed === true && failed.length > 0;
  if (withdrawn) {
    const undo = await commit(db, withdrawal(failed), options.owner, until);
    await settle(db, undo.cfg?.(), until);
  }
  return {
    changed: built.cfg !== undefined,
    cfg,
    failures: [...built.failures, ...failed.map((failure) => ({ ...failure, withdrawn }))],
  };
}

/** Resolves when the switch has taken all that is in the database. @throws as {@link applySwitch} */
export async function waitTaken(
  db: Switch,
  options: { readonly signal?: AbortSignal; readonly timeout?: number } = {},
) {
  const limit = options.timeout ?? TIMEOUT;
  using until = deadline(limit, "switch.not-answering", `ovs-vswitchd took nothing within ${limit} ms`, options.signal);
  return settle(db, undefined, until);
}

/**
 * Whether the switch has taken all that is in its database, and which of these ports it has not got all the same: a
 * device may have gone and come again since they were made.
 *
 * @param options.timeout milliseconds that both may take; 0: how it is now
 * @param options.concerns whether it matters that the switch has not got a port; by default it always does
 * @throws the signal's reason
 */
export async function checkPorts(
  db: Switch,
  ports: Iterable<string>,
  options: {
    readonly signal?: AbortSignal;
    readonly timeout: number;
    readonly concerns?: (port: string) => boolean;
  },
): Promise<{ readonly taken: boolean; readonly failures: readonly SwitchFailure[] }> {
  const taken = () => Number(db.table("Open_vSwitch").single()?.cur_cfg ?? 0) >= asked(db);
  const works = (name: string) => isMade(db, portInterface(db, name));
  // What works now is not looked at again at each word of the switch's.
  const missing = [...ports].filter((name) => !works(name) && options.concerns?.(name) !== false);
  const well = () => taken() && missing.every(works);
  if (options.timeout > 0 && !well()) {
    // Not having come to it in time is no error here: what is missing is told below.
    await db.waitFor(well, options).catch(() => options.signal?.throwIfAborted());
  }
  const failures = missing
    .filter((name) => !works(name))
    .map((name): SwitchFailure => ({ ...failureOf(db, "port", name), withdrawn: false }));
  return { taken: taken(), failures };
}

/**
 * Takes away all that bears the owner's mark in the switch at `remote`; others' ports that it impairs go back to where
 * they were. A userspace datapath takes some 20 ms for each port, which the limit of time makes room for.
 *
 * @returns how many bridges, ports and spies; undefined where no switch runs: what its database may hold is as it was
 * @throws as {@link applySwitch}
 */
export async function removeOwned(
  remote: string,
  owner: string,
  options: Omit<ApplyOptions, "owner"> = {},
): Promise<number | undefined> {
  let db: Switch;
  try {
    db = await openSwitch(remote, options);
  } catch (thrown) {
    if (thrown instanceof ConnectError) return undefined;
    throw thrown;
  }
  await using _db = db;
  const { bridges, ports, mirrors } = observeSwitch(db, owner);
  const owned = bridges.size + ports.size + mirrors.size;
  if (owned === 0) return 0;
  const change = {
    deleteBridges: [...bridges.keys()],
    deletePorts: [...ports.keys()],
    deleteMirrors: [...mirrors.keys()],
    setPorts: impairedOfOthers(db, owner, { bridges, ports }),
  };
  await applySwitch(db, change, { timeout: TIMEOUT + 40 * ports.size, ...options, owner });
  return owned;
}

/** Ports of other owners' behind pipes of ours, each as it is without: on the bridge where the pipe's far end is. */
function impairedOfOthers(
  db: Switch,
  owner: string,
  { bridges, ports }: Pick<SwitchState, "bridges" | "ports">,
): Map<string, PortState> {
  const back = new Map<string, PortState>();
  for (const hub of bridges.keys()) {
    const nic = parseHubName(hub);
    const far = nic && ports.get(pipeNames(nic.objId, nic.n).far);
    if (far === undefined || bridges.has(far.bridge)) continue;
    for (const uuid of db.table("Bridge").find({ name: hub })?.ports ?? []) {
      const port = db.table("Port").get(uuid);
      if (port && port.external_ids.get(OWNER) !== owner) back.set(port.name, { ...far, foreign: true });
    }
  }
  return back;
}

async function commit(db: Switch, change: SwitchChange, owner: string, until: AbortSignal): Promise<Built> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await within(until, () =>
        db.transact((tx) => new ChangeWriter(db, tx, owner).write(change), { signal: until, timeout: TIMEOUT }),
      );
    } catch (thrown) {
      // Somebody took one of the names meanwhile, as the replica knows by now; or the server went away, and whatever
      // has become of the change, making it again is right.
      const again = thrown instanceof ConstraintViolationError || thrown instanceof OutcomeUnknownError;
      if (!again || attempt === 3) throw thrown;
    }
  }
}

/** Waits for Open_vSwitch.cur_cfg (ovs-vswitchd.conf.db(5)) to reach `cfg`, or else what is asked for now. */
export async function settle(db: Switch, cfg: number | undefined, until: AbortSignal): Promise<number> {
  const goal = cfg ?? asked(db);
  return within(until, () =>
    db.waitFor(
      () => {
        const current = Number(db.table("Open_vSwitch").single()?.cur_cfg ?? -1);
        return current >= goal ? { current } : undefined;
      },
      { signal: until },
    ),
  ).then(({ current }) => current);
}

/** Has the switch look at all that it could not make. @returns the configuration that it will then have taken */
async function askAgain(db: Switch, until: AbortSignal): Promise<number | undefined> {
  const cfg = await within(until, () =>
    db.transact(
      (tx) => {
        const root = db.table("Open_vSwitch").single();
        return root && tx.increment("Open_vSwitch", root._uuid, "next_cfg");
      },
      { signal: until, timeout: TIMEOUT },
    ),
  );
  return cfg?.();
}

function asked(db: Switch): number {
  return Number(db.table("Open_vSwitch").single()?.next_cfg ?? 0);
}

/** What stopped the wait is the reason, not that it was stopped. */
export async function within<R>(until: AbortSignal, body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (thrown) {
    if (!until.aborted) throw thrown;
    const { reason } = until;
    if (!(reason instanceof YardError) || reason.code !== "switch.not-answering") throw reason;
    throw new YardError("switch.not-answering", reason.message, {
      cause: thrown,
      hint: "see whether ovs-vswitchd runs, and what its log file says",
    });
  }
}

/** After cur_cfg has arrived there is an OpenFlow number, or something failed. */
function inspect(
  db: Switch,
  change: SwitchChange,
  refused: readonly SwitchFailure[],
): Omit<SwitchFailure, "withdrawn">[] {
  const skip = new Set(refused.map(({ kind, name }) => `${kind} ${name}`));
  const failures: Omit<SwitchFailure, "withdrawn">[] = [];
  const look = (kind: SwitchFailure["kind"], name: string) => {
    if (skip.has(`${kind} ${name}`)) return;
    if (!isMade(db, portInterface(db, name))) failures.push(failureOf(db, kind, name));
  };
  for (const name of change.setBridges?.keys() ?? []) look("bridge", name);
  for (const name of change.setPorts?.keys() ?? []) look("port", name);
  for (const name of change.setMirrors?.keys() ?? []) look("mirror", name);
  return failures;
}

function portInterface(db: Switch, name: string) {
  const port = db.table("Port").find({ name });
  return port && interfaceOf(db, port);
}

function isMade(db: Switch, link: InterfaceRow | undefined): boolean {
  if (link?.ofport === undefined || link.ofport < 0) return false;
  return link.error === undefined || isPaired(db, link);
}

/**
 * Whether a patch has its peer on a bridge of the same datapath. The switch tells of a missing peer as of an error, and
 * leaves that word where it is when the peer comes.
 */
function isPaired(db: Switch, link: InterfaceRow): boolean {
  if (link.type !== "patch") return false;
  const peer = portInterface(db, link.options.get("peer") ?? "");
  return (
    peer?.type === "patch" &&
    peer.options.get("peer") === link.name &&
    peer.ofport !== undefined &&
    peer.ofport >= 0 &&
    datapathOf(db, link.name) === datapathOf(db, peer.name)
  );
}

function datapathOf(db: Switch, port: string): string | undefined {
  const row = db.table("Port").find({ name: port });
  const home = row && [...db.table("Bridge")].find(({ ports }) => ports.has(row._uuid));
  return home && (home.datapath_type || "system");
}

function failureOf(db: Switch, kind: SwitchFailure["kind"], name: string): Omit<SwitchFailure, "withdrawn"> {
  const link = portInterface(db, name);
  return {
    kind,
    name,
    code: kind === "bridge" ? "switch.bridge-failed" : "switch.port-failed",
    message:
      link?.error ??
      (link === undefined ? `${name} was removed by somebody else` : `the switch could not make ${name}`),
  };
}

function withdrawal(failures: readonly Omit<SwitchFailure, "withdrawn">[]): SwitchChange {
  const names = (kind: SwitchFailure["kind"]) => failures.filter((f) => f.kind === kind).map(({ name }) => name);
  return { deleteBridges: names("bridge"), deletePorts: names("port"), deleteMirrors: names("mirror") };
}
