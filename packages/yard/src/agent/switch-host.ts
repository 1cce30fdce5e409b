import { type Logger, YardError } from "@switchyard/base";
import {
  adoptNamespace,
  applyLinks,
  createNamespaces,
  type NamespaceRef,
  namespaceId,
  type ProcessId,
  setSysctls,
  watchExit,
} from "@switchyard/linux";
import {
  findProgram,
  openSwitch,
  probeDatapath,
  probeUserspaceTso,
  SWITCH_SCHEMA,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
  vswitchdRuns,
  watchVswitchd,
} from "@switchyard/vswitch";
import schema from "../store/switchyard.ovsschema" with { type: "text" };
import { SYSTEM_SWITCH, SYSTEM_YARD, type YardPaths } from "./paths.ts";
import { systemPatience } from "./patience.ts";
import { Revival } from "./revival.ts";
import { finishesPackets, systemSwitchAbsence } from "./system-switch.ts";

/**
 * The processes under a yard: the database server and, for a private yard, the switch in its namespace. They are
 * adopted where they run, outlive the agent, and are started again when they die.
 */
export class SwitchHost implements Disposable {
  #server: Disposable | undefined;
  #daemon: Disposable | undefined;
  #finishes = true;
  /** Why the host's own switch cannot be reached. */
  #absence: YardError | undefined;
  /** Of the switch's daemon. */
  #pid: number | undefined;
  readonly #stop = new AbortController();
  readonly #databaseRevival: Revival;
  readonly #switchRevival: Revival;

  constructor(
    private readonly paths: YardPaths,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
    /** The numeric group that may use the database, beside root. */
    private readonly group: number | undefined,
    /** One of them came back after it had died, or could not yet. */
    onChange: () => void,
  ) {
    // Before anything is made that would be left behind.
    findProgram("ovsdb-server");
    if (this.isPrivate) findProgram("ovs-vswitchd");
    const until = AbortSignal.any([signal, this.#stop.signal]);
    this.#databaseRevival = new Revival("the database server", () => this.startDatabase(), until, log, onChange);
    this.#switchRevival = new Revival("the switch", () => this.#startDaemon(), until, log, onChange);
  }

  /** Why the database or the switch is away; it is tried again. */
  get problem(): YardError | undefined {
    return this.#databaseRevival.problem ?? this.#switchRevival.problem ?? this.#absence;
  }

  get isPrivate(): boolean {
    return this.paths.yard !== SYSTEM_YARD;
  }

  /** The namespace in which the switch's ports are. */
  get namespace(): NamespaceRef {
    return this.isPrivate ? { name: this.paths.namespace } : "self";
  }

  /** Starts or adopts the database server. @throws YardError those of vswitch's `startDatabaseServer` */
  async startDatabase(): Promise<void> {
    const { database, switchDatabase, databaseSocket, run } = this.paths;
    const id = await startDatabaseServer({
      socket: databaseSocket,
      runDir: run,
      databases: [
        { file: database, schema },
        ...(this.isPrivate ? [{ file: switchDatabase, schema: SWITCH_SCHEMA }] : []),
      ],
      access: { mode: 0o660, ...(this.group === undefined ? {} : { group: this.group }) },
      signal: this.signal,
    });
    this.#server?.[Symbol.dispose]();
    this.#server = watchExit(id, () => this.#databaseRevival.begin());
  }

  /** Starts or adopts the switch of a private yard, and opens it. @throws YardError `switch.…` */
  async startSwitch() {
    if (!this.isPrivate) return await openSwitch(SYSTEM_SWITCH, { signal: this.signal });
    await this.#startDaemon();
    return await openSwitch(`unix:${this.paths.databaseSocket}`, { signal: this.signal });
  }

  /**
   * Resolves when the switch runs, in its namespace and not only in its database, or when it could not be brought back:
   * see {@link problem}.
   */
  async ready(): Promise<void> {
    if (!this.isPrivate) {
      this.#absence = await systemSwitchAbsence();
      return;
    }
    if (!vswitchdRuns(this.paths.run)) this.#switchRevival.begin();
    await this.#switchRevival.tried;
    await this.#keepNamespace();
  }

  /** Gives the switch's namespace its name again, where somebody took it away. */
  async #keepNamespace(): Promise<void> {
    const { namespace } = this.paths;
    if (namespaceId({ name: namespace }) !== undefined) return;
    const there = this.#pid === undefined ? undefined : namespaceId({ pid: this.#pid });
    this.log.warn({ namespace, daemon: this.#pid }, "the namespace of the switch has lost its name");
    if (this.#pid !== undefined && there !== undefined) adoptNamespace(namespace, this.#pid);
    else await this.#startDaemon();
  }

  /** The datapath type that bridges get here. */
  async datapath(vswitch: Awaited<ReturnType<typeof openSwitch>>): Promise<"system" | "netdev"> {
    const { yard } = this.paths;
    const options = { db: vswitch, owner: yard, signal: this.signal };
    if (this.isPrivate) return await probeDatapath(options);
    const limited = { ...options, timeout: systemPatience() };
    const datapath = await probeDatapath(limited);
    this.#finishes = datapath === "system" || (await probeUserspaceTso(limited));
    return datapath;
  }

  /** Whether the switch finishes what nics leave to it, on its datapath of that type. */
  finishesPackets(datapath: string): boolean {
    this.#finishes = finishesPackets(this.paths.yard, datapath, this.#finishes);
    return this.#finishes;
  }

  /** Ends the daemon, does `meanwhile`, and starts it on the configuration that is left. */
  async bounce(meanwhile: () => Promise<void>): Promise<void> {
    this.#daemon?.[Symbol.dispose]();
    this.#daemon = undefined;
    await stopVswitchd(this.paths.run);
    try {
      await meanwhile();
    } finally {
      await this.#startDaemon();
    }
  }

  /** Ends both processes for good. */
  async stop(): Promise<void> {
    this[Symbol.dispose]();
    if (this.isPrivate) await stopVswitchd(this.paths.run);
    await stopDatabaseServer(this.paths.run);
  }

  /** Lets them run on their own. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#daemon?.[Symbol.dispose]();
    this.#server?.[Symbol.dispose]();
  }

  async #startDaemon(): Promise<void> {
    const { run, databaseSocket, namespace } = this.paths;
    for (const { message } of createNamespaces([namespace])) throw new YardError("switch.no-namespace", message);
    leaveUnrouted({ name: namespace });
    const id: ProcessId = await startVswitchd({
      namespace,
      runDir: run,
      database: databaseSocket,
      tso: true,
      signal: this.signal,
    });
    this.#daemon?.[Symbol.dispose]();
    this.#pid = id.pid;
    this.#daemon = watchVswitchd(run, id, () => this.#switchRevival.begin());
  }
}

/**
 * Leaves the namespace of a switch without routes. For as long as it has any, the daemon reads all addresses of all
 * links again at each new port (getifaddrs(3)), and of a thousand ports that takes longer than all else. Each link with
 * IPv6 has a route for multicast, and the loopback one for itself; neither is of use among the ends of nics.
 */
function leaveUnrouted(namespace: NamespaceRef): void {
  // Refused where the kernel has no IPv6: then there are no such routes.
  setSysctls(namespace, { "net.ipv6.conf.default.disable_ipv6": "1" });
  applyLinks([{ namespace, ops: [{ op: "set", name: "lo", up: false }] }]);
}
