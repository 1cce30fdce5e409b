import { chownSync, existsSync, mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { asYardError, backoff, type Logger, YardError } from "@switchyard/base";
import { bootId, isRoot, lockFile } from "@switchyard/linux";
import type { Uuid } from "@switchyard/ovsdb";
import { observeSwitch, tunnelBridges } from "@switchyard/vswitch";
import { rowsOf } from "../store/rows.ts";
import { writeStatus } from "../store/status.ts";
import { openStore, type Store } from "../store/store.ts";
import { apply, type Site } from "./apply.ts";
import type { Failure } from "./blame.ts";
import { absentBridges } from "./bridge-check.ts";
import { Captures } from "./captures.ts";
import { buildIdentity } from "./client.ts";
import { desire, type HostFacts } from "./desire.ts";
import { bridgeFailures } from "./desire-bridges.ts";
import { unleased } from "./desire-dhcp.ts";
import { foreignPorts } from "./desire-guest.ts";
import { apartNodes } from "./desire-joints.ts";
import { portlessFailures } from "./desire-links.ts";
import { gatewayFailures } from "./desire-nat.ts";
import { natFailures } from "./desire-nat-node.ts";
import { phyFailures } from "./desire-phy.ts";
import { KnownNodes } from "./desire-plain.ts";
import { unjoined } from "./desire-zerotier.ts";
import { dismantle } from "./dismantle.ts";
import { Engines } from "./engines.ts";
import { yardGroup } from "./group.ts";
import { hostNetwork, kernelBridges } from "./host-network.ts";
import { Hypervisor } from "./hypervisor.ts";
import { LeaseDeadlines } from "./lease-deadlines.ts";
import { forgetLeases, readLeases, watchLeases } from "./leases.ts";
import { pipesFile, relayFile } from "./names.ts";
import { observe } from "./observe.ts";
import { runDirectory, type YardPaths, yardPaths } from "./paths.ts";
import { peerFacts, watchWords } from "./peers.ts";
import { usesNetem } from "./pipe-work.ts";
import { plan } from "./plan.ts";
import { recordEngines, recordedEngines, register } from "./register.ts";
import { failureOf, hostFailure, marksOf, reportOf } from "./report.ts";
import { requests } from "./requests.ts";
import { watchReports } from "./service-report.ts";
import { Services } from "./services.ts";
import { type Method, type ServedSocket, serveSocket } from "./socket.ts";
import { SwitchHost } from "./switch-host.ts";
import { requireSystemSwitch } from "./system-switch.ts";
import { wireguardBy } from "./tunnel.ts";
import { withoutUnreachable } from "./unreachable.ts";
import { NamespaceViews } from "./views.ts";
import { Watchers } from "./watchers.ts";
import { forgetHomes } from "./zerotier-work.ts";

/** Milliseconds that changes of the kernel are collected before they are looked at. */
const SETTLE = 50;

/** Milliseconds until what failed is tried again: at first, and at most. */
const RETRY = [500, 60_000] as const;

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
 * @throws YardError `yard.not-root`, `agent.already-running`, and what keeps the database or the switch from starting
 */
export async function runAgent(yard: string, options: AgentOptions): Promise<void> {
  if (!isRoot())
    throw new YardError("yard.not-root", "the agent changes the host's network, which only root may", {
      hint: `run it with sudo: sudo yard -y ${yard} agent`,
    });
  const paths = yardPaths(yard);
  await requireSystemSwitch(yard);
  const group = yardGroup();
  mkdirSync(runDirectory(), { recursive: true, mode: 0o755 });
  mkdirSync(paths.run, { recursive: true, mode: 0o755 });
  // Whoever started us may have made it for root alone, and the sockets that the group may use are in it.
  if (group !== undefined) chownSync(paths.run, 0, group);
  mkdirSync(paths.state, { recursive: true, mode: 0o750 });
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
  #wake = Promise.withResolvers<void>();
  #settling: Timer | undefined;
  /** While it converges: whether anything has changed since it began, which most often is its own doing. */
  #meanwhile: boolean | undefined;
  #retry: Timer | undefined;
  #retries = backoff(...RETRY);
  readonly #captures: Captures;
  readonly #watchers = new Watchers();
  #socket: ServedSocket | undefined;
  /** The number of the state that was last applied; it is told once nothing of it is waited for any more. */
  #applied = 0;
  readonly #nodes = new KnownNodes();
  readonly #leases = new LeaseDeadlines(() => this.now());
  /** How often in a row something had to be done though nothing new was asked for. */
  #unsettled = 0;

  private constructor(
    private readonly options: AgentOptions,
    private readonly facts: HostFacts,
    private readonly host: Uuid,
    private readonly store: Store,
    private readonly site: Site,
    private readonly switchHost: SwitchHost,
    private readonly stack: AsyncDisposableStack,
    group: number | undefined,
  ) {
    this.#captures = new Captures(
      site,
      () => rowsOf(store.db),
      group,
      () => this.now(),
    );
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
    this.#wake.resolve();
  }

  /** Converges once the changes that are going on have settled: ever later while somebody undoes what we do. */
  changed(): void {
    if (this.#meanwhile !== undefined) {
      this.#meanwhile = true;
      return;
    }
    this.#settling ??= setTimeout(
      () => {
        this.#settling = undefined;
        this.now();
      },
      SETTLE * 2 ** Math.min(this.#unsettled, 10),
    );
  }

  /** Converges after a while, longer each time: for what failed, and where no event tells that it would succeed. */
  again(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.now();
    }, this.#retries.next().value);
  }

  async run(): Promise<void> {
    const { signal, log } = this.options;
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve(), { once: true });
    while (!signal.aborted) {
      await Promise.race([this.#wake.promise, aborted.promise]);
      if (signal.aborted) return;
      this.#wake = Promise.withResolvers();
      // All that is so by now is seen.
      clearTimeout(this.#settling);
      this.#settling = undefined;
      this.#meanwhile = false;
      try {
        await this.#converge();
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asYardError(thrown);
        log.error({ code: error.code, error: error.message, stack: error.stack }, "the yard could not be converged");
        await this.#tell(failureOf(error)).catch((reason) => {
          if (!signal.aborted) this.#socket?.tell(this.switchHost.problem ?? asYardError(reason));
        });
        this.again();
      }
      const changed = this.#meanwhile;
      this.#meanwhile = undefined;
      if (changed) this.changed();
    }
  }

  async #converge(): Promise<void> {
    const { site, store } = this;
    // The host's switch may be another one by now.
    const offloads = this.switchHost.finishesPackets(this.facts.datapath);
    const { run } = this.facts;
    const began = performance.now();
    await this.switchHost.ready();
    const rows = rowsOf(store.db);
    const onSwitch = (name: string) => site.vswitch.table("Bridge").find({ name }) !== undefined;
    const captured = this.#captures.ports;
    const tunnels = tunnelBridges(site.vswitch);
    const host = { ...hostNetwork(this.facts.yard), kernelBridges: kernelBridges(rows, onSwitch) };
    const facts = {
      ...this.facts,
      offloads,
      tunnels,
      ...host,
      leases: readLeases(run),
      captured,
      foreign: foreignPorts(rows, site.vswitch),
      ...peerFacts(rows, run, site.namespace),
    };
    const cfg = rows.yard?.nextCfg ?? 0;
    const own = rows.hosts.find(({ uuid }) => uuid === this.host);
    if (!own) throw new YardError("agent.host-removed", `the row of host ${facts.host} is gone from the database`);
    const marks = marksOf(rows);
    const wanted = desire(rows, facts, this.#nodes);
    forgetLeases(run, (id) => wanted.services.has(id));
    await recordEngines(store.db, this.host, wanted.containers.values());
    const seen = await observe(site, wanted, marks);
    const onHost = rows.nodes.filter((node) => node.host === facts.host);
    const networks = new Map(rows.networks.map((network) => [network.name, network]));
    const joining = unjoined(onHost, networks, seen.memberships);
    const { waiting, failures: leaseless } = this.#leases.look([...unleased(onHost, facts.leases), ...joining]);
    const { desired, actual, failures } = withoutUnreachable(wanted, seen);
    const asked = cfg > Math.max(own.curCfg, this.#applied);
    // Commands find their node's addresses there.
    const actions = plan(desired, actual, { revive: asked }).filter((it) => it.do !== "exec" || !waiting.has(it.node));
    const planned = performance.now();
    this.#watchers.planned(cfg, actions);
    const outcome = await apply(site, desired, actions, seen, asked);
    const { problem } = this.switchHost;
    const ofHost: Failure[] = problem ? [{ subject: { kind: "yard" }, error: problem }] : [];
    const absent = [
      ...absentBridges(rows, facts, onSwitch),
      ...portlessFailures(rows, facts),
      ...phyFailures(rows, facts),
    ];
    const unreachable = [
      ...gatewayFailures(rows, facts),
      ...natFailures(rows, facts),
      ...bridgeFailures(rows, facts),
      ...leaseless,
    ];
    const all = [...ofHost, ...failures, ...unreachable, ...outcome.failures, ...absent];
    this.#applied = cfg;
    forgetHomes(facts.state, wanted);
    for (const { subject } of all) if ("node" in subject) waiting.delete(subject.node);
    await writeStatus(
      store.db,
      {
        ...reportOf(rows, facts, {
          desired: wanted,
          failures: all,
          containers: new Map([...seen.containers, ...outcome.started]),
          machines: new Map([...seen.machines, ...outcome.booted]),
          ports: observeSwitch(site.vswitch, site.paths.yard, facts.foreign).ports,
          macs: seen.macs,
          marks: new Map([...marks, ...outcome.marks]),
          memberships: seen.memberships,
          apart: apartNodes(rows, facts),
          impairedBy: new Map([...wanted.pipes.values()].map(({ purpose, by }) => [purpose, by])),
        }),
        host: { uuid: this.host, status: { failure: hostFailure(all) }, curCfg: waiting.size > 0 ? own.curCfg : cfg },
      },
      site.signal,
    );
    const milliseconds = { plan: Math.round(planned - began), all: Math.round(performance.now() - began) };
    this.#watchers.converged({ cfg, steps: actions.length, failures: all.length, milliseconds });
    this.options.log.debug({ cfg, actions: actions.length, failures: all.length, milliseconds }, "converged");
    if (asked || actions.length === 0) this.#unsettled = 0;
    else this.#unsettled++;
    if (asked) this.#renewRetries();
    // No event tells what becomes of a membership.
    if (all.length > 0 || joining.length > 0) this.again();
    else if (actions.length === 0) this.#renewRetries();
  }

  /** Begins the delays between attempts anew: something else was asked for. */
  #renewRetries(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#retries = backoff(...RETRY);
  }

  /** Lets those who wait for the present state know that it cannot be had. */
  async #tell(failure: ReturnType<typeof failureOf>): Promise<void> {
    const curCfg = this.store.db.table("Yard").single()?.next_cfg ?? 0;
    await writeStatus(this.store.db, { host: { uuid: this.host, status: { failure }, curCfg: Number(curCfg) } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#settling);
    clearTimeout(this.#retry);
    this.#leases[Symbol.dispose]();
    await this.stack.disposeAsync();
  }
}
