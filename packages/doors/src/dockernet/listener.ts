/** The driver's socket, where the engine looks for plugins (docs.docker.com, "Plugin discovery"). */
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { asYardError, type Logger, YardError } from "@switchyard/base";
import { type Method, methods } from "./driver.ts";
import { followEngine } from "./engine.ts";
import { Journal } from "./journal.ts";
import { LiveYard } from "./live.ts";

/** Where engines look for the sockets of drivers. */
const FOLDER = "/run/docker/plugins";
const CONTENT_TYPE = "application/vnd.docker.plugins.v1.1+json";

export interface DriverOptions {
  /** What `docker network create -d` calls it. */
  readonly name: string;
  readonly yard: string;
  /** How to call ourselves, to start the yard's agent. */
  readonly executable: readonly string[];
  /** The engine's address, in the form of DOCKER_HOST; undefined is its default. */
  readonly engine: string | undefined;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Called once it serves. */
  readonly onServing?: (socket: string) => void;
}

/**
 * Serves a network driver and an IPAM driver for Docker until `signal` aborts. It needs no yard to begin with, so that it
 * is there before the engine; the yard's agent is started when it is first needed.
 *
 * @throws YardError `dockernet.bad-name`, `dockernet.already-served`
 */
export async function serveDockerDriver(options: DriverOptions): Promise<void> {
  const { name, signal, log } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/.test(name))
    throw new YardError("dockernet.bad-name", `"${name}" cannot be a driver's name`);
  const path = `${FOLDER}/${name}.sock`;
  await using live = new LiveYard(options);
  const journal = new Journal();
  const server = createServer((request, response) => void answer({ live, journal, log }, request, response));
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (await isServed(path)) throw new YardError("dockernet.already-served", `a process serves ${path} already`);
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  options.onServing?.(path);
  const follower = followEngine(live, options);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(path, { force: true });
  await follower;
}

async function answer(
  { live, journal, log }: { readonly live: LiveYard; readonly journal: Journal; readonly log: Logger },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const name = (request.url ?? "").slice(1);
  const method: Method | undefined = Object.hasOwn(methods, name) ? methods[name] : undefined;
  const began = performance.now();
  const reply = (status: number, body: object) => {
    response.writeHead(status, { "content-type": CONTENT_TYPE }).end(JSON.stringify(body));
    log.debug({ method: name, status, body, milliseconds: Math.round(performance.now() - began) }, "answered");
  };
  // What is not found the engine takes for what this driver does not do.
  if (method === undefined) return reply(404, { Err: `there is no ${name}` });
  let ended = () => {};
  try {
    let body = await text(request);
    if (needsBody(name)) {
      const store = await live.store();
      if (body === "") body = await journal.recall(store, name);
      ended = await journal.note(store, name, body);
    }
    log.debug({ method: name, body }, "asked");
    reply(200, await method(live, parse(body)));
  } catch (thrown) {
    const { code, message, hint } = asYardError(thrown);
    log.warn({ method: name, code, error: message }, "refused");
    const said = `${message} [${code}]${hint === undefined ? "" : `: ${hint}`}`;
    // The one protocol has it there, the other here.
    reply(200, { Err: said, Error: said });
  } finally {
    ended();
  }
}

/** Whether a call is about something: those that are not come without a body. */
function needsBody(name: string): boolean {
  return /^(NetworkDriver\.(?!GetCapabilities|Discover)|IpamDriver\.(Request|Release))/.test(name);
}

function parse(body: string): unknown {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch (cause) {
    throw new YardError("dockernet.bad-request", "the request is not JSON", { cause });
  }
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
