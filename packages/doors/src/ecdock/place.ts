/** The switch that `ec` works on, and where its bridges' own devices are. */
import type { NamespaceRef } from "@switchyard/linux";
import { openWholeSwitch, type Switch } from "@switchyard/vswitch";
import { ensureAgent, finishesPackets, SYSTEM_SWITCH, SYSTEM_YARD, yardPaths } from "@switchyard/yard/agent";
import { openStore, type Store } from "@switchyard/yard/store";

/** The value of external_ids:switchyard-owner on what `ec` makes. */
export const EC_OWNER = "ec";

export interface EcPlace extends AsyncDisposable {
  readonly yard: string;
  /** The yard's database, where `ec`'s containers are shown. */
  readonly store: Store;
  readonly db: Switch;
  readonly namespace: NamespaceRef;
  /** Where the bridges' management sockets are. */
  readonly runDir: string;
}

/**
 * Opens the host's switch, or that of a yard, with the yard's agent, which is started where none runs.
 *
 * @throws YardError `switch.system-absent`, and what keeps the agent from starting
 */
export async function openEcPlace(
  yard: string,
  options: { readonly executable: readonly string[]; readonly signal: AbortSignal },
): Promise<EcPlace> {
  const { signal } = options;
  await using _agent = await ensureAgent(yard, options);
  const paths = yardPaths(yard);
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore({ remote: `unix:${paths.databaseSocket}`, signal }));
  const system = yard === SYSTEM_YARD;
  const db = await openWholeSwitch(system ? SYSTEM_SWITCH : `unix:${paths.databaseSocket}`, { signal });
  stack.defer(() => db.close());
  const namespace = system ? "self" : { name: paths.namespace };
  const runDir = system ? SYSTEM_SWITCH.replace(/^unix:|\/[^/]*$/g, "") : paths.run;
  const owned = stack.move();
  return { yard, store, db, namespace, runDir, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Whether nics may leave checksums and segments to the switch. */
export function leavesOffloads(yard: string, datapath: string): boolean {
  return finishesPackets(yard, datapath || "system");
}
