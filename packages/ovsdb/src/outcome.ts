import { isObject, type Json } from "./json.ts";
import type { Operation } from "./operation.ts";
import { readError } from "./rpc.ts";
import type { FinishedTransaction } from "./transaction.ts";

/** What went wrong in a transaction, in the server's words. */
export interface Failure {
  readonly at: number;
  readonly error: string;
  readonly text: string;
  readonly where: string | undefined;
}

/** The first failed operation; one result more than there are operations is the commit's own (RFC 7047 section 4.1.3). */
export function failureOf(results: readonly Json[], operations: readonly Operation[]): Failure | undefined {
  const at = results.findIndex((result) => isObject(result) && result.error !== undefined && result.error !== null);
  const result = results[at];
  if (!isObject(result)) return undefined;
  const { error, text } = readError(result);
  const operation = operations[at];
  const table = typeof operation?.table === "string" ? ` ${operation.table}` : "";
  return { at, error, text, where: operation === undefined ? undefined : `${operation.op}${table}` };
}

/** An operation that carried its own guard and found no row to write: the same as a `wait` that failed. */
export function untouched(results: readonly Json[], request: FinishedTransaction): Failure | undefined {
  const at = request.guards;
  const result = results[at];
  if (!request.selfGuarded || !isObject(result) || result.count !== 0) return undefined;
  return { at, error: "timed out", text: "the row is no longer what it was", where: undefined };
}
