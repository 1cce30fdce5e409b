import { chownSync, existsSync } from "node:fs";
import { hostname } from "node:os";
import { asYardError, type Logger, YardError } from "@switchyard/base";
import { bootId, isRoot, lockFile } from "@switchyard/linux";
import type { Uuid } from "@switchyard/ovsdb";
import { rowsOf } from "../store/rows.ts";
import { writeStatus } from "../store/status.ts";
import { openStore, type Store } from "../store/store.ts";
import { Captures } from "./captures.ts";
import { buildIdentity } from "./client.ts";
import { Convergence } from "./convergence.ts";
import { dismantle } from "./dismantle.ts";
import { Engines } from "./engines.ts";
import { makeFolder } from "./folders.ts";
import { yardGroup } from "./group.ts";
import type { HostFacts } from "./host-facts.ts";
import { hostNetwork } from "./host-network.ts";
import { Hypervisor } from "./hypervisor.ts";
import { watchLeases } from "./leases.ts";
import { pipesFile, relayFile } from "./names.ts";
import { Pace } from "./pace.ts";
import { runDirectory, type YardPaths, yardPaths } from "./paths.ts";
import { watchWords } from "./peers.ts";
import { usesNetem } from "./pipe-work.ts";
import { recordedEngines, register } from "./register.ts";
import { failureOf } from "./report.ts";
import { requests } from "./requests.ts";
import { watchReports } from "./service-report.ts";
import { Services } from "./services.ts";
import type { Site } from "./site.ts";
import { type Method, type ServedSocket, serveSocket } from "./socket.ts";
import { SwitchHost } from "./switch-host.ts";
import { requireSystemSwitch } from "./system-switch.ts";
import { wireguardBy } from "./tunnel.ts";
import { NamespaceViews } from "./views.ts";
import { Watchers } from "./watchers.ts";

export interface AgentOptions {
  /** How to call ourselves, for the processes of the yard. */
  readonly executable: readonly string[];
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** What else is served by the agent's socket: other doors' calls. */
  readonly methods?: Readonly<Record<string, Method>>;
  /** Called once the agent serves. */
  readonly onServing?: () => void;
}

/**
 * The agent of a yard: makes the host as the store says, until `signal` aborts or it is asked to take the yard down.
 * What it made stays when it ends, and is taken over by the next one.
 *
 * @throws YardError `yard.not-root`, `yard.folder-failed`, `agent.already-running`, and what keeps the database or the switch from starting
 */
export async function runAgent(yard: string, options: AgentOptions): Promise<void> {
  if (!isRoot())
    throw new YardError("yard.not-root", "the agent changes the host's network, which only root may", {
      hint: `run it with sudo: sudo yard -y ${yard} agent`,
    });
  const paths = yardPaths(yard);
  await requireSystemSwitch(yard);
  const group = yardGroup();
  makeFolder(runDirectory(), 0o755);
  makeFolder(paths.run, 0o755);
  // Whoever started us may have made it for root alone, and the sockets that the group may use are in it.
  if (group !== undefined) chownSync(paths.run, 0, group);
  makeFolder(paths.state, 0o750);
  using lock = lockFile(paths.lock);
  if (!lock) throw new YardError("agent.already-running", `the yard "${yard}" has an agent already`);

  await using stack = new AsyncDisposableStack();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const fresh = !existsSync(paths.database);
  const started = await Agent.start(paths, group, { ...options, signal }).catch(async (error) => {
    // Half of a yard in which nothing has ever been would only be in the way.
    if (fresh) await dismantle(paths, options.log).catch(() => {});
    throw error;
  });
  const agent = stack.use(started);
  let demolish = false;
  const build = buildIdentity();
  // Closed last: its end tells that the yard is gone.
  const socket = stack.use(
    await serveSocket(paths.agentSocket, group, {
      ...options.methods,
      hello: () => ({ pid: process.pid, yard, build }),
      ...agent.requests(),
      /** Takes the whole yard away; the connection's end tells that it is done. */
      demolish: () => {
        demolish = true;
        stop.abort();
      },
    }),
  );
  agent.serves(socket);
  options.onServing?.();
  await agent.run();
  if (demolish) {
    await agent[Symbol.asyncDispose]();
    await dismantle(paths, options.log);
  }
}

/** Watches, and converges whenever something has changed. */
class Agent implements AsyncDisposable {
  readonly #pace = new Pace();
  readonly #captures: Captures;
  readonly #watchers = new Watchers();
  readonly #convergence: Convergence;
  #socket: ServedSocket | undefined;

  private constructor(
    private readonly options: AgentOptions,
    private readonly facts: HostFacts,
    private readonly host: Uuid,
    private readonly store: Store,
    site: Site,
    private readonly switchHost: SwitchHost,
    private readonly stack: AsyncDisposableStack,
    group: number | undefined,
  ) {
    const now = () => this.now();
    this.#captures = new Captures(site, () => rowsOf(store.db), group, now);
    this.#convergence = new Convergence({
      facts,
      host,
      store,
      site,
      switchHost,
      watchers: this.#watchers,
      log: options.log,
      captured: () => this.#captures.ports,
      onDue: now,
    });
  }

  static async start(paths: YardPaths, group: number | undefined, options: AgentOptions): Promise<Agent> {
    const { signal, log } = options;
    await using stack = new AsyncDisposableStack();
    let agent: Agent | undefined;
    const changed = () => agent?.changed();
    const netem = usesNetem();
    const switchHost = stack.use(new SwitchHost(paths, log, signal, group, changed));
    await switchHost.startDatabase();
    const store = stack.use(await openStore({ remote: `unix:${paths.databaseSocket}`, signal }));
    const vswitch = stack.use(await switchHost.startSwitch());
    const datapath = await switchHost.datapath(vswitch);
    const host = await register(store.db, { yard: paths.yard, host: hostname(), datapath, agentPid: process.pid });
    const services = stack.use(new Services(paths.run, log, changed));
    const engines = stack.use(new Engines(paths, log, changed));
    for (const key of recordedEngines(store.db, host)) engines.get(key).catch(() => {});
    const hypervisor = stack.use(new Hypervisor(paths, log, group, changed));
    const namespace = switchHost.namespace;
    const views = new NamespaceViews(namespace, paths.namespace, changed, signal);
    const site: Site = {
      paths,
      boot: bootId(),
      namespace,
      views,
      vswitch,
      engines,
      hypervisor,
      services,
      log,
      signal,
      bounce: switchHost.isPrivate && datapath === "netdev" ? (meanwhile) => switchHost.bounce(meanwhile) : undefined,
    };
    const facts: HostFacts = {
      yard: paths.yard,
      host: hostname(),
      datapath,
      offloads: switchHost.finishesPackets(datapath),
      tunnels: new Set(),
      ...hostNetwork(paths.yard),
      kernelBridges: new Set(),
      leases: new Map(),
      captured: new Set(),
      foreign: new Map(),
      netem: await netem,
      peers: new Map(),
      ownLinks: new Set(),
      wireguard: wireguardBy(),
      run: paths.run,
      state: paths.state,
      executable: options.executable,
    };
    agent = new Agent(options, facts, host, store, site, switchHost, stack.move(), group);
    agent.stack.use(
      store.db.subscribe((changes) => {
        if (changes.some(({ table }) => table === "Yard")) agent?.now();
      }),
    );
    agent.stack.use(vswitch.subscribe(changed));
    agent.stack.use(watchLeases(paths.run, changed));
    agent.stack.use(watchWords(paths.run, changed));
    for (const file of [relayFile(paths.run), pipesFile(paths.run)]) agent.stack.use(watchReports(file, changed));
    // The host's own is nobody's to watch but by its database.
    agent.stack.use(vswitch.on("disconnected", changed));
    agent.stack.use(vswitch.on("reconnected", changed));
    agent.now();
    return agent;
  }

  /** What commands may ask for. */
  requests(): Record<string, Method> {
    return {
      ...requests(this.store, this.facts.yard, this.facts.host, this.options.signal),
      ...this.#captures.methods(),
      ...this.#watchers.methods(),
    };
  }

  /** Where clients wait. */
  serves(socket: ServedSocket): void {
    this.#socket = socket;
  }

  /** Converges at once. */
  now(): void {
    this.#pace.now();
  }

  /** Converges once the changes that are going on have settled. */
  changed(): void {
    this.#pace.changed();
  }

  async run(): Promise<void> {
    const { signal, log } = this.options;
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve(), { once: true });
    while (!signal.aborted) {
      await Promise.race([this.#pace.due, aborted.promise]);
      if (signal.aborted) return;
      this.#pace.begin();
      try {
        this.#pace.converged(await this.#convergence.once());
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asYardError(thrown);
        log.error({ code: error.code, error: error.message, stack: error.stack }, "the yard could not be converged");
        await this.#tell(failureOf(error)).catch((reason) => {
          if (!signal.aborted) this.#socket?.tell(this.switchHost.problem ?? asYardError(reason));
        });
        this.#pace.again();
      }
      this.#pace.end();
    }
  }

  /** Lets those who wait for the present state know that it cannot be had. */
  async #tell(failure: ReturnType<typeof failureOf>): Promise<void> {
    const curCfg = this.store.db.table("Yard").single()?.next_cfg ?? 0;
    await writeStatus(this.store.db, { host: { uuid: this.host, status: { failure }, curCfg: Number(curCfg) } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pace[Symbol.dispose]();
    this.#convergence[Symbol.dispose]();
    await this.stack.disposeAsync();
  }
}
