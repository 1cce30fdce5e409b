/** One way in: an address or a socket that requests come by, and who may come. */
import { YardError } from "@switchyard/base";
import type { Server } from "bun";
import { checkBrowser, type Principal, type Tokens } from "./access.ts";
import type { AuditLog } from "./audit.ts";
import { readJson } from "./body.ts";
import type { Site } from "./ground.ts";
import type { Figures } from "./metrics.ts";
import { describeApi, PREFIX } from "./openapi.ts";
import type { Call, Operation } from "./operation.ts";
import { lentOperations } from "./operations/lent.ts";
import { operations } from "./operations/mod.ts";
import { pageResponse, strangerResponse } from "./page.ts";
import { problemOf, problemResponse } from "./problem.ts";
import type { RateLimit } from "./rate.ts";
import { MethodNotAllowed, router } from "./router.ts";
import { type Conversation, Peer, type SocketData } from "./socket.ts";

/** Bytes of JSON that an operation takes: a lab file of four megabytes, written with escapes. */
const MOST_JSON = 10 << 20;

/** WebSockets at a time, and clients that listen to events. */
const MOST_SOCKETS = 500;

/** Who comes by it. */
export interface Way {
  readonly tokens: Tokens;
  readonly scheme: "http" | "https";
  /** Names that are served beside addresses. */
  readonly names: readonly string[];
  /** Whoever can connect is this one; undefined: tokens are asked for. */
  readonly everybody?: Principal;
}

/** What all ways in have in common. */
export interface House {
  readonly site: Site;
  readonly audit: AuditLog;
  readonly rate: RateLimit;
  /** Of what was asked without a known token. */
  readonly wrong: RateLimit;
  /** Lines of the audit log of who comes too fast. */
  readonly floods: RateLimit;
  readonly figures: Figures;
  readonly peers: Set<Peer>;
  metrics(): Promise<string>;
}

/** What is told of a request in the end. */
interface Told {
  who: Principal | undefined;
  operation: Operation | undefined;
  note: string | undefined;
}

/** What answers requests that come by one way. */
export function door(house: House, way: Way) {
  const all = [...operations, ...lentOperations(house.site.lent ?? [])];
  const description = JSON.stringify(describeApi(all, house.site.version));
  const route = router(all);
  return async (request: Request, server: Server<SocketData>): Promise<Response | undefined> => {
    const began = performance.now();
    const url = new URL(request.url, "http://yard");
    const from = way.everybody === undefined ? (server.requestIP(request)?.address ?? "") : "";
    const told: Told = { who: undefined, operation: undefined, note: undefined };
    const log = (status: number, code?: string) => {
      const milliseconds = Math.round(performance.now() - began);
      const what = told.operation?.id ?? "";
      house.figures.requests.observe(milliseconds / 1_000, {
        operation: what === "" ? "other" : what,
        status: String(status),
      });
      if (!isAudited(told.operation, request.method, status)) return;
      // Who comes too fast is told of now and then, lest the log grows as fast.
      if (status === 429 && house.floods.take(`${told.who?.name ?? "-"} ${from}`, Date.now()) > 0) return;
      house.audit.write({
        who: told.who?.name ?? "-",
        role: told.who?.role ?? "-",
        from,
        what,
        target: url.pathname,
        method: request.method,
        status,
        ...(code === undefined ? {} : { code }),
        milliseconds,
        ...(told.note === undefined ? {} : { note: told.note }),
      });
    };
    try {
      if (way.everybody === undefined) checkBrowser(request.headers, way.scheme, way.names);
      const answer = await answered({ house, way, request, server, url, from, told, description, route, log });
      if (answer !== undefined) log(answer.status);
      return answer === undefined ? undefined : guarded(answer);
    } catch (error) {
      const { status, code } = problemOf(error);
      if (status === 500) house.site.log.error({ error: String(error), path: url.pathname }, "a request failed");
      log(status, code);
      if (status === 401 && wantsPage(request)) return guarded(strangerResponse(house.site.yard));
      return guarded(problemResponse(error, extraHeaders(error)));
    }
  };
}

/** A request on its way. */
interface Asked {
  readonly house: House;
  readonly way: Way;
  readonly request: Request;
  readonly server: Server<SocketData>;
  readonly url: URL;
  readonly from: string;
  readonly told: Told;
  readonly description: string;
  readonly route: ReturnType<typeof router>;
  readonly log: (status: number, code?: string) => void;
}

async function answered(asked: Asked): Promise<Response | undefined> {
  if (asked.request.method !== "HEAD") return await answeredAs(asked, asked.request.method);
  const answer = await answeredAs(asked, "GET");
  // What would go on for long ends with nobody reading it.
  await answer?.body?.cancel();
  return answer === undefined ? undefined : new Response(null, { status: answer.status, headers: answer.headers });
}

/** @param method that of the request; GET for HEAD, which asks for the same but the body */
async function answeredAs(asked: Asked, method: string): Promise<Response | undefined> {
  const { house, way, request, server, url, told } = asked;
  const now = Date.now();
  const link = url.pathname === "/" && request.method === "GET" ? url.searchParams.get("token") : null;
  const known = link === null ? (way.everybody ?? way.tokens.who(request.headers)) : way.tokens.of(link);
  if (known === undefined) throw refused(house.wrong, asked.from, now);
  told.who = known;
  const seconds = house.rate.take(`${known.name} ${asked.from}`, now);
  if (seconds > 0) throw new TooFast(seconds);
  // What is asked may take long; who asks is known.
  server.timeout(request, 0);
  const secure = way.scheme === "https";
  if (link !== null) {
    const headers = { location: "/", "set-cookie": way.tokens.begin(known, secure), "cache-control": "no-store" };
    return new Response(null, { status: 303, headers });
  }
  const { pathname } = url;
  if (method === "GET" && pathname === "/metrics")
    return new Response(await house.metrics(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  if (method === "GET" && pathname === `${PREFIX}/openapi.json`)
    return new Response(asked.description, { headers: { "content-type": "application/json" } });
  if (!pathname.startsWith("/api/")) return pageResponse(house.site, method, request.headers, pathname);
  return await operated(asked, method, known);
}

async function operated(asked: Asked, method: string, principal: Principal): Promise<Response | undefined> {
  const { house, way, request, url, told } = asked;
  const { site } = house;
  const upgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  const { operation, params } = asked.route(method, url.pathname, upgrade);
  told.operation = operation;
  if (operation.role === "operate" && principal.role !== "operate")
    throw new YardError("http.not-permitted", `${principal.name} may look, and ${operation.id} changes something`);
  const call: Omit<Call, "query" | "body"> = {
    site,
    principal,
    params,
    request,
    gone: AbortSignal.any([request.signal, site.signal]),
    session: {
      begin: () => way.tokens.begin(principal, way.scheme === "https"),
      end: () => way.tokens.end(request.headers),
    },
    note: (text) => {
      told.note = text;
    },
  };
  const query = queryOf(operation, url);
  switch (operation.kind) {
    case "json": {
      const body = operation.body?.parse(await readJson(request, MOST_JSON));
      return Response.json(await operation.handle({ ...call, query, body }), {
        headers: { "cache-control": "no-store" },
      });
    }
    case "raw":
      if (operation.id === "streamEvents" && site.feed.size >= MOST_SOCKETS) throw new TooFast(60);
      return await operation.handle({ ...call, query, body: undefined });
    case "socket":
      return converse(asked, await operation.handle({ ...call, query, body: undefined }));
  }
}

/** Makes a WebSocket of a request. */
function converse({ house, request, server, log, told }: Asked, conversation: Conversation): undefined {
  const peer = new Peer();
  const opened = told.note;
  const ended: SocketData["ended"] = ({ code, note }) => {
    house.peers.delete(peer);
    told.note = [opened, "ended", note].filter((part) => part !== undefined).join(" ");
    log(101, code);
    peer.over.resolve();
  };
  if (house.peers.size >= MOST_SOCKETS) throw new TooFast(60);
  if (!server.upgrade(request, { data: { conversation, peer, ended } }))
    throw new YardError("http.upgrade-wanted", "this is no request for a WebSocket");
  house.peers.add(peer);
  // What goes on for long is told at once, lest nobody tells of it.
  log(101);
  return undefined;
}

/** The parameters of a query; one that is given several times is a list. @throws YardError `http.bad-query` */
function queryOf({ query }: Operation, url: URL): unknown {
  const given = Object.fromEntries(
    [...new Set(url.searchParams.keys())].map((name) => {
      const [first, ...others] = url.searchParams.getAll(name);
      return [name, others.length === 0 ? first : [first, ...others]];
    }),
  );
  if (query === undefined) return undefined;
  const read = query.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new YardError("http.bad-query", issue?.message ?? "the query is wrong", {
    where: issue?.path.map(String).join(".") ?? "",
  });
}

/** Who guesses is told less and less; what keeps guesses out is the length of a token. */
function refused(wrong: RateLimit, from: string, now: number): YardError {
  const seconds = wrong.take(from, now);
  if (seconds > 0) return new TooFast(seconds);
  return new YardError("http.token-wanted", "the request bears no token that is known", {
    hint: "open the link that `yard serve` printed, or send `Authorization: Bearer TOKEN`",
  });
}

class TooFast extends YardError {
  constructor(readonly seconds: number) {
    super("http.too-fast", `too many requests; wait ${seconds} s`);
  }
}

function extraHeaders(error: unknown): Record<string, string> {
  if (error instanceof TooFast) return { "retry-after": String(error.seconds) };
  if (error instanceof MethodNotAllowed) return { allow: error.allowed.join(", ") };
  if (error instanceof YardError && error.code === "http.token-wanted")
    return { "www-authenticate": 'Bearer realm="yard"' };
  return {};
}

/** Changes, what looks into nodes, and who was refused. */
function isAudited(operation: Operation | undefined, method: string, status: number): boolean {
  if (status === 429) return true;
  if (operation === undefined) return status === 401 || status === 403 || status === 421;
  return operation.role === "operate" || (method !== "GET" && method !== "HEAD") || status === 403;
}

function wantsPage(request: Request): boolean {
  return request.method === "GET" && (request.headers.get("accept") ?? "").includes("text/html");
}

/** What every answer says to a browser. */
function guarded(answer: Response): Response {
  answer.headers.set("x-content-type-options", "nosniff");
  answer.headers.set("referrer-policy", "no-referrer");
  answer.headers.set("cross-origin-resource-policy", "same-origin");
  answer.headers.set("x-frame-options", "DENY");
  return answer;
}
