import type { Logger } from "@switchyard/base";
import { createNamespaces, type NamespaceRef, type ProcessId, watchExit } from "@switchyard/linux";
import {
  openSwitch,
  probeDatapath,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
  watchVswitchd,
} from "@switchyard/vswitch";
import schema from "../store/switchyard.ovsschema" with { type: "text" };
import { SYSTEM_SWITCH, SYSTEM_YARD, type YardPaths } from "./paths.ts";

/** The schema of a switch's database, as Debian installs it. */
const SWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";

/**
 * The processes under a yard: the database server and, for a private yard, the switch in its namespace. They are
 * adopted where they run, outlive the agent, and are started again when they die.
 */
export class SwitchHost implements Disposable {
  #server: Disposable | undefined;
  #daemon: Disposable | undefined;
  #stopping = false;

  constructor(
    private readonly paths: YardPaths,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
    /** The numeric group that may use the database, beside root. */
    private readonly group: number | undefined,
    /** The switch came back after it had died. */
    private readonly onRestart: () => void,
    /** The database or the switch could not be brought back. */
    private readonly onFailure: (error: unknown) => void,
  ) {}

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
    this.#server = watchExit(id, () => this.#revive("the database server", () => this.startDatabase()));
  }

  /** Starts or adopts the switch of a private yard, and opens it. @throws YardError `switch.…` */
  async startSwitch() {
    if (!this.isPrivate) return await openSwitch(SYSTEM_SWITCH, { signal: this.signal });
    createNamespaces([this.paths.namespace]);
    await this.#startDaemon();
    return await openSwitch(`unix:${this.paths.databaseSocket}`, { signal: this.signal });
  }

  /** The datapath type that bridges get here. */
  async datapath(vswitch: Awaited<ReturnType<typeof openSwitch>>): Promise<"system" | "netdev"> {
    return await probeDatapath({ db: vswitch, signal: this.signal });
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
    this.#stopping = true;
    this.#daemon?.[Symbol.dispose]();
    this.#server?.[Symbol.dispose]();
  }

  async #startDaemon(): Promise<void> {
    const { run, databaseSocket, namespace } = this.paths;
    const id: ProcessId = await startVswitchd({
      namespace,
      runDir: run,
      database: databaseSocket,
      tso: true,
      signal: this.signal,
    });
    this.#daemon?.[Symbol.dispose]();
    this.#daemon = watchVswitchd(run, id, () => this.#revive("the switch", () => this.#startDaemon()));
  }

  #revive(what: string, start: () => Promise<void>): void {
    if (this.#stopping || this.signal.aborted) return;
    this.log.warn(`${what} died and is started again`);
    start().then(this.onRestart, this.onFailure);
  }
}
