/** Nodes stopped and started: a declared state, which stays whatever else is declared of them. */
import { YardError } from "@switchyard/base";
import type { ChangeOptions } from "./change.ts";
import { type Commanded, command, ownRow } from "./command.ts";
import { nodeStatus } from "./status.ts";
import type { Store } from "./store.ts";
import type { NodeRow } from "./switchyard.gen.ts";

/** Seconds that what runs in a node has for ending, where nothing else is said. */
export const STOP_GRACE = 10;

/**
 * Has nodes run no longer: processes end, nics leave their networks, and what was written in a container or a virtual
 * machine stays. They stay so until they are started; of one that is stopped already nothing changes.
 *
 * @param grace whole seconds that they have for ending, 0…3600
 * @throws YardError `node.unknown`, `node.not-ours`, `node.not-stoppable`; OvsdbError
 */
export function stopNodes(
  store: Store,
  names: readonly string[],
  grace: number,
  options?: ChangeOptions,
): Promise<Commanded> {
  return setPower(store, `stop ${names.join(" ")}`, names, (row) => row.stopped ?? grace, options);
}

/**
 * Has nodes run, as they were declared: those that were stopped, and those that have ended by themselves.
 *
 * @throws YardError as {@link stopNodes}
 */
export function startNodes(store: Store, names: readonly string[], options?: ChangeOptions): Promise<Commanded> {
  return setPower(store, `start ${names.join(" ")}`, names, () => undefined, options);
}

function setPower(
  store: Store,
  comment: string,
  names: readonly string[],
  wanted: (row: NodeRow) => number | undefined,
  options: ChangeOptions | undefined,
): Promise<Commanded> {
  return command(store, comment, undefined, options, (change) => {
    const rows = names.map((name) => stoppableRow(store, name));
    for (const row of rows) {
      change.nodes.setStopped(row, wanted(row));
      // One that has ended by itself is started because somebody asks, and not by what its row says.
      if (wanted(row) === undefined && nodeStatus(row.status).state === "exited") change.changed = true;
    }
    return (undo) => {
      for (const { name, stopped } of rows) {
        const now = store.db.table("Node").find({ name });
        if (now !== undefined) undo.nodes.setStopped(now, stopped);
      }
    };
  });
}

function stoppableRow(store: Store, name: string): NodeRow {
  const row = ownRow(store, name);
  switch (row.kind) {
    case "netns":
    case "container":
    case "vm":
      return row;
    case "guest":
      throw new YardError("node.not-stoppable", `the container of ${name} is another program's to stop and start`, {
        hint: "use the program that runs it",
      });
    default:
      throw new YardError("node.not-stoppable", `nothing runs in ${name}, which is of kind ${row.kind}`, {
        hint: `take it away, yard rm ${name}; or break it, yard impair ${name} loss=100%`,
      });
  }
}
