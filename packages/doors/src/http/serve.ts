/** The server: its ways in, and what all of them stand on. */
import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { connect, isIP } from "node:net";
import { dirname } from "node:path";
import { delay, YardError } from "@switchyard/base";
import { appctl, fdbShow, openSwitch, readCounters, type Switch, watchCounters } from "@switchyard/vswitch";
import { Inside } from "@switchyard/yard/inside";
import { switchRemote, switchRunDir } from "@switchyard/yard/paths";
import { rowsOf } from "@switchyard/yard/store";
import type { Server } from "bun";
import { newToken, type Principal, Tokens } from "./access.ts";
import { AgentLink } from "./agent-link.ts";
import { AuditLog } from "./audit.ts";
import { door, type House, type Way } from "./door.ts";
import { Feed } from "./feed.ts";
import type { Ground, Site } from "./ground.ts";
import { History } from "./history.ts";
import { Figures, metricsText } from "./metrics.ts";
import { nextSteps } from "./operations/history.ts";
import { MOST_FILE } from "./operations/inside.ts";
import { Present } from "./present.ts";
import { RateLimit } from "./rate.ts";
import { handlers, type Peer, type SocketData } from "./socket.ts";
import { Traffic } from "./traffic.ts";

/** How it is served. */
export interface HttpOptions {
  /** Where root and the group may come in without a token. */
  readonly socket: string;
  readonly group: number | undefined;
  /** The address beside that, if any. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Names that the address may be called by, beside numbers. */
  readonly names: readonly string[];
  /** Those who may come, by token. */
  readonly tokens: readonly (Principal & { readonly token: string })[];
  /** Requests a second that a client may make; 0: any number. */
  readonly rate: number;
  /** The file of the audit log. */
  readonly audit: string;
}

/** A server that serves. */
export interface HttpServer extends AsyncDisposable {
  readonly socket: string;
  /** The link that begins a session; undefined where no address is served, or others than the loopback's. */
  readonly link: string | undefined;
  readonly address: { readonly host: string; readonly port: number } | undefined;
}

/** Bytes that the kernel holds for a capture while nobody reads. */
const CAPTURE_BUFFER = 32 << 20;
/** Of what is asked without a token that is known: one in six seconds, ten at once. */
const GUESSES = { perSecond: 1 / 6, burst: 10 } as const;
/** Milliseconds that answers may take to arrive when the server ends. */
const GRACE = 1_000;
/** Seconds for which a connection may say nothing before it is known who it is. */
const IDLE = 30;

/**
 * Serves a yard over HTTP until it is disposed of.
 *
 * @throws YardError `http.needs-tls`; `http.bad-address` where it cannot listen
 */
export async function serveHttp(ground: Ground, options: HttpOptions): Promise<HttpServer> {
  const { address, tls, names, socket, group } = options;
  const local = address === undefined || isLoopback(address.host);
  if (!local && (tls === undefined || options.tokens.length === 0))
    throw new YardError("http.needs-tls", `${address?.host} is an address that others come by too`, {
      hint: "give --tls-cert, --tls-key and --tokens; or serve on the loopback: --http 127.0.0.1:7780",
    });
  await using stack = new AsyncDisposableStack();
  const ending = new AbortController();
  const house = openHouse({ ...ground, signal: AbortSignal.any([ground.signal, ending.signal]) }, options, stack);
  const listen = {
    websocket: handlers,
    maxRequestBodySize: MOST_FILE,
    development: false,
  };
  const inside = new Tokens([], "none");
  const bySocket = {
    tokens: inside,
    scheme: "http",
    names,
    everybody: { name: "unix", role: "operate" },
  } as const satisfies Way;
  if (await answers(socket))
    throw new YardError("http.bad-address", `another server of yard "${ground.yard}" listens on ${socket}`, {
      hint: "stop it, or give this one a socket of its own: --http-socket FILE",
    });
  rmSync(socket, { force: true });
  const before = process.umask(0o117);
  try {
    const server = Bun.serve<SocketData>({ ...listen, unix: socket, fetch: door(house, bySocket) });
    stack.defer(() => stop(server));
    stack.defer(() => rmSync(socket, { force: true }));
  } catch (cause) {
    throw new YardError("http.bad-address", `${socket} cannot be listened on`, { cause });
  } finally {
    process.umask(before);
  }
  chmodSync(socket, 0o660);
  if (group !== undefined) chownSync(socket, 0, group);
  let link: string | undefined;
  let bound: HttpServer["address"];
  if (address !== undefined) {
    const token = local ? newToken() : undefined;
    const own = token === undefined ? [] : [{ name: "link", role: "operate", token } as const];
    const scheme = tls === undefined ? "http" : "https";
    const way: Way = { tokens: new Tokens([...own, ...options.tokens], `switchyard_${address.port}`), scheme, names };
    const server = bind(address, () =>
      Bun.serve<SocketData>({
        ...listen,
        idleTimeout: IDLE,
        hostname: address.host,
        port: address.port,
        ...(tls === undefined ? {} : { tls }),
        fetch: door(house, way),
      }),
    );
    stack.defer(() => stop(server));
    bound = { host: address.host, port: server.port ?? address.port };
    const shown = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
    if (token !== undefined) link = `${scheme}://${shown}:${bound.port}/?token=${token}`;
  }
  // What is open is told that the server ends, before the server does.
  stack.defer(async () => {
    ending.abort();
    const peers = [...house.peers];
    for (const peer of peers) peer.close(1001);
    await Promise.race([Promise.all(peers.map(({ over }) => over.promise)), delay(GRACE)]);
  });
  const open = stack.move();
  return { socket, link, address: bound, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function bind<T>({ host, port }: { readonly host: string; readonly port: number }, listen: () => T): T {
  try {
    return listen();
  } catch (cause) {
    throw new YardError("http.bad-address", `${host} port ${port} cannot be listened on`, { cause });
  }
}

/** Whether somebody listens: what a server that was killed has left does not. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

/** Lets answers that are on their way arrive: streams have been told to end. */
async function stop(server: Server<SocketData>): Promise<void> {
  const arrived = server.stop();
  await Promise.race([arrived, delay(GRACE)]);
  await server.stop(true);
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

function openHouse(ground: Ground, { audit, rate }: HttpOptions, stack: AsyncDisposableStack): House {
  const { yard, store, paths, version } = ground;
  const remote = switchRemote(paths);
  const figures = new Figures();
  mkdirSync(dirname(audit), { recursive: true, mode: 0o750 });
  const log = stack.use(
    new AuditLog(audit, (error) => ground.log.error({ error: String(error) }, "the audit log has lost a line")),
  );
  const present = stack.use(new Present(yard, store));
  const traffic = stack.use(
    new Traffic(
      (listener) =>
        watchCounters(remote, switchRunDir(paths), listener, { signal: ground.signal }).catch(() => undefined),
      () => present.view.nodes,
    ),
  );
  const feed = stack.use(new Feed(present, store, (listener) => traffic.listen(listener)));
  const history = new History(paths, store, ground.signal, () => feed.tellHistory(nextSteps(history)));
  const agent = stack.use(
    new AgentLink(
      ground,
      (work) => {
        figures.work(work);
        feed.tellWork(work);
      },
      (running) => feed.tellAgent(running),
    ),
  );
  stack.use(store.db.on("disconnected", () => feed.tellConnection(false)));
  stack.use(store.db.on("reconnected", () => feed.tellConnection(true)));
  let vswitch: Promise<Switch> | undefined;
  stack.defer(async () => (await vswitch?.catch(() => undefined))?.close());
  const site: Site = {
    ...ground,
    feed,
    history,
    view() {
      if (store.db.connected) return present.view;
      throw new YardError("yard.not-running", `the yard "${yard}" is not running`, {
        hint: "declare a lab, which starts it: PUT /api/v1/labs/{lab}",
      });
    },
    captureDefaults: { application: `Switchyard ${version}`, buffer: CAPTURE_BUFFER },
    inside() {
      // What is left of the rows of a yard that has gone is not acted on.
      site.view();
      return new Inside(yard, rowsOf(store.db), ground.runners);
    },
    vswitch() {
      vswitch ??= openSwitch(remote, { timeout: 5_000 }).catch((error) => {
        vswitch = undefined;
        throw error;
      });
      return vswitch;
    },
    appctl: (command, args, signal) => appctl(switchRunDir(paths), command, args, { signal }),
    fdb: (bridge, signal) => fdbShow(switchRunDir(paths), bridge, { signal }),
  };
  return {
    site,
    audit: log,
    rate: new RateLimit(rate, rate * 2),
    wrong: new RateLimit(GUESSES.perSecond, GUESSES.burst),
    floods: new RateLimit(1 / 60, 1),
    figures,
    peers: new Set<Peer>(),
    async metrics() {
      await Promise.all([
        timed(figures, "Switchyard", store.db),
        timed(figures, "Open_vSwitch", await site.vswitch().catch(() => undefined)),
      ]);
      const view = site.view();
      const ports = new Set(view.nodes.flatMap(({ nics }) => nics.map(({ port }) => port)));
      const counters = await readCounters(remote, ports, { timeout: 5_000, runDir: switchRunDir(paths) }).catch(
        () => new Map(),
      );
      const rows = rowsOf(store.db);
      const wanted = rows.yard?.nextCfg ?? 0;
      const applied = Math.min(wanted, ...rows.hosts.map(({ curCfg }) => curCfg));
      return metricsText(figures, {
        view,
        agentRuns: agent.running,
        wanted,
        applied,
        counters,
        listeners: feed.size,
        version,
      });
    },
  };
}

/** A transaction of nothing goes there and back. */
async function timed(
  figures: Figures,
  database: string,
  db: { execute(operations: readonly never[]): Promise<unknown> } | undefined,
) {
  const began = performance.now();
  const answered = await db
    ?.execute([])
    .then(() => true)
    .catch(() => false);
  if (answered) figures.roundTrips.observe((performance.now() - began) / 1_000, { database });
}
