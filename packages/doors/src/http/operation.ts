/** One operation of the API: what is needed to serve it, and to describe it. */
import type { z } from "zod";
import type { Principal, Role } from "./access.ts";
import type { Site } from "./ground.ts";
import type { Conversation } from "./socket.ts";

/** What is asked of an operation. */
export interface Call<Query = unknown, Body = unknown> {
  readonly site: Site;
  readonly principal: Principal;
  /** Of the path, by name, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly request: Request;
  /** Aborts when the client has gone or the server ends: what only reads may stop then. */
  readonly gone: AbortSignal;
  /** The session of the client's browser; each gives the cookie to be set. */
  readonly session: { begin(): string; end(): string };
  /** Something to be told in the audit log: a program, a name. Never what may be secret. */
  note(text: string): void;
}

interface Common<Query> {
  /** Unique, and stable: what generated clients name their functions by. */
  readonly id: string;
  /** From `/api/v1` on: `/nodes/{node}`. */
  readonly path: string;
  readonly role: Role;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodType<Query>;
}

/** An operation that answers JSON. */
export interface JsonOperation<Query = unknown, Body = unknown, Reply = unknown> extends Common<Query> {
  readonly kind: "json";
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: z.ZodType<Body>;
  readonly reply: z.ZodType<Reply>;
  handle(call: Call<Query, Body>): Promise<Reply> | Reply;
}

/** One that answers something else: a stream, a file. It reads the body by itself. */
export interface RawOperation<Query = unknown> extends Common<Query> {
  readonly kind: "raw";
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Types of what it takes and gives. */
  readonly takes?: string;
  readonly gives: string;
  handle(call: Call<Query, undefined>): Promise<Response> | Response;
}

/** One that is a WebSocket. */
export interface SocketOperation<Query = unknown> extends Common<Query> {
  readonly kind: "socket";
  readonly method: "GET";
  handle(call: Call<Query, undefined>): Promise<Conversation> | Conversation;
}

export type Operation = JsonOperation | RawOperation | SocketOperation;

/** An operation with its types inferred; the server has parsed what it hands over by the operation's own schemas. */
export function json<Query, Body, Reply>(of: Omit<JsonOperation<Query, Body, Reply>, "kind">): Operation {
  return { kind: "json", ...of } as JsonOperation<never, never, unknown> as JsonOperation;
}

export function raw<Query>(of: Omit<RawOperation<Query>, "kind">): Operation {
  return { kind: "raw", ...of } as RawOperation<never> as RawOperation;
}

export function socket<Query>(of: Omit<SocketOperation<Query>, "kind" | "method">): Operation {
  return { kind: "socket", method: "GET", ...of } as SocketOperation<never> as SocketOperation;
}
