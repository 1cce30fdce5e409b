import { YardError } from "@switchyard/base";
import { PREFIX } from "./openapi.ts";
import type { Operation } from "./operation.ts";

/** What a request asks for. */
export interface Match {
  readonly operation: Operation;
  readonly params: Readonly<Record<string, string>>;
}

/** There is something at a path, but not that. */
export class MethodNotAllowed extends YardError {
  constructor(
    method: string,
    path: string,
    readonly allowed: readonly string[],
  ) {
    super("http.method-not-allowed", `${method} is nothing that ${path} can be asked`);
  }
}

/**
 * Finds operations by method and path.
 *
 * @returns a function that throws YardError `http.not-found`, `http.method-not-allowed`
 */
export function router(operations: readonly Operation[]) {
  const routes = operations.map((operation) => ({ operation, parts: `${PREFIX}${operation.path}`.split("/") }));
  return (method: string, path: string, upgrade: boolean): Match => {
    const given = path.split("/").map(decoded);
    const found = routes.flatMap(({ operation, parts }) => {
      const params = paramsOf(parts, given);
      return params === undefined ? [] : [{ operation, params }];
    });
    const match = found.find(
      ({ operation }) => operation.method === method && (operation.kind === "socket") === upgrade,
    );
    if (match !== undefined) return match;
    if (found.length === 0) throw new YardError("http.not-found", `there is nothing at ${path}`);
    if (!upgrade && found.some(({ operation }) => operation.kind === "socket" && operation.method === method))
      throw new YardError("http.upgrade-wanted", `${path} is a WebSocket`);
    throw new MethodNotAllowed(method, path, [
      ...new Set(found.flatMap(({ operation: { method: one } }) => (one === "GET" ? ["GET", "HEAD"] : [one]))),
    ]);
  };
}

function paramsOf(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (parts.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
    const value = given[at] ?? "";
    if (name === undefined ? part !== value : value === "") return undefined;
    if (name !== undefined) params[name] = value;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
