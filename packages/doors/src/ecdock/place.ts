/** The switch that `ec` works on, and where its bridges' own devices are. */
import type { NamespaceRef } from "@switchyard/linux";
import { openWholeSwitch, type Switch } from "@switchyard/vswitch";
import { ensureAgent, finishesPackets, SYSTEM_SWITCH, SYSTEM_YARD, yardPaths } from "@switchyard/yard/agent";

/** The value of external_ids:switchyard-owner on what `ec` makes. */
export const EC_OWNER = "ec";

export interface EcPlace extends AsyncDisposable {
  readonly yard: string;
  readonly db: Switch;
  readonly namespace: NamespaceRef;
  /** Where the bridges' management sockets are. */
  readonly runDir: string;
}

/**
 * Opens the host's switch, or that of a yard, whose agent is started where none runs.
 *
 * @throws YardError `switch.system-absent`, and what keeps the agent from starting
 */
export async function openEcPlace(
  yard: string,
  options: { readonly executable: readonly string[]; readonly signal: AbortSignal },
): Promise<EcPlace> {
  const { signal } = options;
  if (yard === SYSTEM_YARD) {
    const db = await openWholeSwitch(SYSTEM_SWITCH, { signal });
    const runDir = SYSTEM_SWITCH.replace(/^unix:|\/[^/]*$/g, "");
    return { yard, db, namespace: "self", runDir, [Symbol.asyncDispose]: () => db.close() };
  }
  await using _agent = await ensureAgent(yard, options);
  const paths = yardPaths(yard);
  const db = await openWholeSwitch(`unix:${paths.databaseSocket}`, { signal });
  const namespace = { name: paths.namespace };
  return { yard, db, namespace, runDir: paths.run, [Symbol.asyncDispose]: () => db.close() };
}

/** Whether nics may leave checksums and segments to the switch. */
export function leavesOffloads(yard: string, datapath: string): boolean {
  return finishesPackets(yard, datapath || "system");
}
