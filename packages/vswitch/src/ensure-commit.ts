import { deadline, YardError } from "@switchyard/base";
import { ConstraintViolationError } from "@switchyard/ovsdb";
import { settle, within } from "./apply.ts";
import { SwitchEdit, works } from "./ensure-edit.ts";
import type { Switch } from "./types.ts";

export interface EditOptions {
  /** The value of external_ids:switchyard-owner on all that is made. */
  readonly owner: string;
  readonly signal?: AbortSignal;
  /** Milliseconds for the database and the switch together; 30,000 by default. */
  readonly timeout?: number;
}

/** What came of an edit. */
export interface Edited<R> {
  readonly result: R;
  /** Whether the database was changed. */
  readonly changed: boolean;
}

/** An interface that the switch could not make. */
export class InterfaceFailure extends YardError {
  constructor(
    /** The interface's name. */
    readonly interfaceName: string,
    /** The switch's own words; empty where it has none. */
    readonly reason: string,
  ) {
    super("switch.port-failed", `the switch could not make ${interfaceName}${reason === "" ? "" : `: ${reason}`}`, {
      hint: "nothing was left behind; the log of ovs-vswitchd may say more",
    });
  }
}

/**
 * Does one operation: `build` writes one guarded transaction, which is done when the switch has taken it. When the
 * switch cannot make it, or takes nothing in time, all of it is taken back.
 *
 * @throws what `build` throws, with nothing changed; InterfaceFailure (`switch.port-failed`); YardError
 * `switch.not-answering`; the errors of ovsdb's `transact`; the signal's reason
 */
export async function commitEdit<R>(
  db: Switch,
  build: (edit: SwitchEdit) => R,
  options: EditOptions,
): Promise<Edited<R>> {
  const limit = options.timeout ?? 30_000;
  using until = deadline(
    limit,
    "switch.not-answering",
    `ovs-vswitchd did not take the change within ${limit} ms`,
    options.signal,
  );
  const { edit, result, cfg } = await attempt(db, build, options.owner, until);
  try {
    await settle(db, cfg?.(), until);
    const failed = failures(db, edit.watched);
    const [first] = failed;
    if (first !== undefined) throw first;
    return { result, changed: edit.changed };
  } catch (thrown) {
    await takeBack(db, edit);
    throw thrown;
  }
}

async function attempt<R>(db: Switch, build: (edit: SwitchEdit) => R, owner: string, until: AbortSignal) {
  for (let tries = 1; ; tries++) {
    try {
      return await within(until, () =>
        db.transact(
          (tx) => {
            const edit = new SwitchEdit(db, tx, owner);
            const result = build(edit);
            return { edit, result, cfg: edit.finish() };
          },
          { signal: until },
        ),
      );
    } catch (thrown) {
      // Somebody took one of the names meanwhile, as the replica knows by now: `build` says so in its own words.
      if (!(thrown instanceof ConstraintViolationError) || tries === 3) throw thrown;
    }
  }
}

/** In five seconds of its own, as the caller's time may be up; the switch itself may be stopped, so it is not awaited. */
async function takeBack(db: Switch, edit: SwitchEdit): Promise<void> {
  await db.transact((tx) => edit.undo(tx), { timeout: 5_000 });
}

function failures(db: Switch, names: ReadonlySet<string>): InterfaceFailure[] {
  return [...names].flatMap((name) => {
    const link = db.table("Interface").find({ name });
    if (link !== undefined && works(link)) return [];
    return [new InterfaceFailure(name, link === undefined ? "somebody else removed it" : (link.error ?? ""))];
  });
}
