import { createLogger } from "@switchyard/base/log";
import { Engines, Hypervisor } from "@switchyard/yard/agent";
import { Inside } from "@switchyard/yard/inside";
import { yardPaths } from "@switchyard/yard/paths";
import { rowsOf } from "@switchyard/yard/store";
import { openYard } from "./connect.ts";
import { needRoot, type Session } from "./session.ts";

/**
 * A way into the nodes of a yard, only for root.
 *
 * @param argv the command line, for the error's hint
 * @throws YardError `privilege.root-needed`, `yard.not-running`
 */
export async function openInside(
  session: Session,
  yard: string,
  argv: readonly string[],
): Promise<Inside & AsyncDisposable> {
  needRoot(argv, "to enter a node");
  await using store = await openYard(session, yard);
  const paths = yardPaths(yard, session.env);
  const log = createLogger("yard", session.env.SWITCHYARD_LOG ?? "silent");
  const runners = { engines: new Engines(paths, log), hypervisor: new Hypervisor(paths, log), paths };
  return Object.assign(new Inside(yard, rowsOf(store.db), runners), {
    async [Symbol.asyncDispose]() {
      await runners.engines[Symbol.asyncDispose]();
      await runners.hypervisor[Symbol.asyncDispose]();
    },
  });
}
