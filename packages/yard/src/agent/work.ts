import { unlessAborted, YardError } from "@switchyard/base";
import { adoptNamespace, createNamespacesInSlices, deleteNamespacesInSlices } from "@switchyard/linux";
import type { ContainerState, VmState } from "@switchyard/runtime";
import { type Action, type ActionOf, only, type Phase } from "./action.ts";
import { Blame, subjectOf } from "./blame.ts";
import { applyBridges } from "./bridge-work.ts";
import { runCommands } from "./commands.ts";
import { PIPES } from "./desire-pipes.ts";
import { deleteFile, writeFile } from "./files.ts";
import { endProcessesIn, handlesTermination } from "./inhabitants.ts";
import { MachineWork } from "./machine-work.ts";
import { pipesFile, relayFile } from "./names.ts";
import { applyDevices, applyToSwitch, configure } from "./network-work.ts";
import { applyNics } from "./nic-work.ts";
import { type ExecMark, lifeOf } from "./observe.ts";
import { applyPipes } from "./pipe-work.ts";
import { serviceReport } from "./service-report.ts";
import type { Site } from "./site.ts";
import type { ServiceState, State } from "./state.ts";
import { parsePurpose } from "./subject.ts";
import { applyVteps } from "./vtep-work.ts";
import { joinNetwork, leaveNetwork, prepareHome } from "./zerotier-work.ts";

/** The id of the service that publishes ports. */
const RELAY = "relay";

/** Milliseconds between SIGTERM and SIGKILL for a container's first process and for what runs in a namespace. */
const GRACE = 5_000;

/** What lives in the nodes, as observed. */
export interface Inhabitants {
  readonly containers: ReadonlyMap<string, ContainerState>;
  readonly machines: ReadonlyMap<string, VmState>;
}

/** Carries out the phases of one plan, and keeps what came of them. */
export class Work {
  readonly blame = new Blame();
  readonly marks = new Map<string, ExecMark>();
  readonly started = new Map<string, ContainerState>();
  readonly booted = new Map<string, VmState>();
  /** The nodes whose container or machine was stopped. */
  readonly stopped = new Set<string>();

  constructor(
    private readonly site: Site,
    private readonly desired: State,
    private readonly seen: Inhabitants,
  ) {}

  /** Does all actions of a phase; what fails is blamed on its subject. */
  async run(phase: Phase, actions: readonly Action[]): Promise<void> {
    switch (phase) {
      case "stop services":
        return await this.each(actions, "service-stop", "service.not-stopped", ({ id }) => this.site.services.stop(id));
      case "stop and remove containers":
        await both(
          this.each(actions, "container-stop", "node.container-failed", (action) => this.stop(action)),
          this.each(actions, "machine-stop", "node.machine-failed", ({ node, grace }) =>
            this.machines.stop(node, grace).then(() => void this.stopped.add(node)),
          ),
        );
        return await both(
          this.each(actions, "container-remove", "node.container-failed", (action) => this.remove(action)),
          this.each(actions, "machine-remove", "node.machine-failed", ({ node }) => this.machines.remove(node)),
        );
      case "unplug nics":
        return await this.each(actions, "machine-unplug", "node.machine-failed", ({ node, index }) =>
          this.machines.unplug(node, index),
        );
      case "plug nics in":
        return await this.each(actions, "machine-plug", "node.machine-failed", ({ node, nic }) =>
          this.machines.plug(node, nic),
        );
      case "delete namespaces":
        return await this.deleteNamespaces(only(actions, "namespace-delete"));
      case "delete links":
        await applyDevices(this.site, actions, this.blame);
        await applyNics(this.site, actions, this.blame);
        await applyPipes(this.site, actions, this.blame);
        return await applyBridges(this.site, actions, this.blame);
      case "return links":
        return await applyNics(this.site, actions, this.blame);
      case "bridges":
        return await applyBridges(this.site, actions, this.blame);
      case "links":
        await applyDevices(this.site, actions, this.blame);
        await applyPipes(this.site, actions, this.blame);
        return await applyNics(this.site, actions, this.blame);
      case "files":
      case "files of links":
        return this.files(actions);
      case "namespaces":
        return await this.createNamespaces(only(actions, "namespace-create"));
      case "create containers with a namespace of their own":
      case "create containers":
        return await both(
          this.each(actions, "container-create", "node.container-failed", (action) => this.create(action)),
          this.each(actions, "machine-create", "node.machine-failed", ({ node, machine }) =>
            this.machines.create(node, machine),
          ),
        );
      case "start containers with a namespace of their own":
      case "start containers":
        return await both(
          this.each(actions, "container-start", "node.container-failed", async ({ node, container }) => {
            const engine = await this.site.engines.get(container);
            this.started.set(node, await engine.start(this.containerName(node), this.site.signal));
          }),
          this.each(actions, "machine-start", "node.machine-failed", async ({ node }) => {
            this.booted.set(node, await this.machines.start(node));
          }),
        );
      case "adopt namespaces":
        return await this.each(actions, "namespace-adopt", "node.namespace-failed", async ({ namespace, node }) => {
          const pid = this.containerOf(node)?.pid;
          if (pid === undefined) throw new YardError("node.exited", `the container of ${node} has ended`);
          adoptNamespace(namespace, pid);
        });
      case "unplug":
      case "switch":
      case "ports of tunnels":
        return await applyToSwitch(this.site, actions, this.blame);
      case "tunnels":
        return await applyVteps(this.site, actions, this.blame);
      case "configure":
        return await configure(this.site, actions, this.blame);
      case "services":
        return await this.each(actions, "service-start", "service.not-started", ({ id, state }) =>
          this.startService(id, state),
        );
      case "memberships":
        await this.each(actions, "zerotier-leave", "nic.not-joined", (action) =>
          leaveNetwork(action, this.site.signal),
        );
        return await this.each(actions, "zerotier-join", "nic.not-joined", (action) =>
          joinNetwork(action, this.site.signal),
        );
      case "exec":
        return await this.each(actions, "exec", "node.exec-failed", (action) => this.exec(action));
    }
  }

  /** Does of the starts what need not wait for the switch. */
  async prepare(starts: readonly Action[]): Promise<void> {
    await this.each(starts, "container-start", "node.container-failed", async ({ node, container }) => {
      const engine = await this.site.engines.get(container);
      await engine.prepare?.(this.containerName(node), this.site.signal);
    });
  }

  private async startService(id: string, state: ServiceState): Promise<void> {
    if (state.home) prepareHome(state.home);
    await this.site.services.start(id, state.argv, state.program);
  }

  /** Does all actions of one sort side by side; what fails is blamed on its subject. */
  private async each<D extends Action["do"]>(
    actions: readonly Action[],
    what: D,
    code: string,
    act: (action: ActionOf<D>) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      only(actions, what).map((action) => act(action).catch((error) => this.blame.add(action.subject, error, code))),
    );
  }

  private get machines(): MachineWork {
    return new MachineWork(this.site, this.desired, this.seen.machines);
  }

  private async deleteNamespaces(actions: readonly ActionOf<"namespace-delete">[]): Promise<void> {
    const subjects = new Map(actions.map(({ namespace, subject }) => [namespace, subject]));
    await endProcessesIn([...subjects.keys()], GRACE);
    for (const { name, message } of await deleteNamespacesInSlices([...subjects.keys()]))
      this.blame.add(
        subjectOf(subjects, name),
        new YardError("node.namespace-failed", message),
        "node.namespace-failed",
      );
  }

  private async createNamespaces(actions: readonly ActionOf<"namespace-create">[]): Promise<void> {
    const subjects = new Map(actions.map(({ namespace, subject }) => [namespace, subject]));
    for (const { name, message } of await createNamespacesInSlices([...subjects.keys()]))
      this.blame.add(
        subjectOf(subjects, name),
        new YardError("node.namespace-failed", message),
        "node.namespace-failed",
      );
  }

  private async stop({ node, container, grace }: ActionOf<"container-stop">): Promise<void> {
    const engine = await this.site.engines.get(container);
    const stopped = engine.stop(this.containerName(node), this.heeds(node) ? grace : 0, this.site.signal);
    await unlessAborted(stopped, this.site.signal);
    this.stopped.add(node);
  }

  /** Whether the first process of a node's container does something about SIGTERM. */
  private heeds(node: string): boolean {
    const pid = this.seen.containers.get(node)?.pid;
    return pid !== undefined && handlesTermination(pid);
  }

  private async remove({ node, container }: ActionOf<"container-remove">): Promise<void> {
    const grace = this.heeds(node) ? GRACE : 0;
    await (await this.site.engines.get(container)).remove(this.containerName(node), grace, this.site.signal);
  }

  private async create({ node, container }: ActionOf<"container-create">): Promise<void> {
    if (!container.config) throw new YardError("internal.unexpected", `the container of ${node} has no configuration`);
    await (await this.site.engines.get(container)).create(container.config, this.site.signal);
  }

  private files(actions: readonly Action[]): void {
    for (const action of actions) {
      try {
        if (action.do === "file-write") writeFile(action.path, action.file);
        else if (action.do === "file-delete") deleteFile(action.path);
      } catch (error) {
        this.blame.add(action.subject, error, "yard.file-failed");
      }
    }
  }

  private async exec({ node, state }: ActionOf<"exec">): Promise<void> {
    const container = this.desired.containers.get(node);
    const mark = (failed: boolean) => {
      const life = lifeOf(this.site.boot, state.namespace, this.containerOf(node));
      this.marks.set(node, { life, hash: state.hash, failed });
    };
    try {
      const inside = container && { engine: await this.site.engines.get(container), name: this.containerName(node) };
      await runCommands(state, inside, this.site.signal);
      mark(false);
    } catch (error) {
      mark(true);
      throw error;
    }
  }

  /**
   * Learns what the relays could not do, whether they were told of it now or before.
   *
   * @param patient whether something that they work on has been changed
   */
  async published(patient: boolean): Promise<void> {
    await this.reported(RELAY, relayFile(this.site.paths.run), false, (message) => {
      const hint = "end what listens there, or publish another port";
      return new YardError("node.port-taken", message, { hint });
    });
    await this.reported(
      PIPES,
      pipesFile(this.site.paths.run),
      patient,
      (message) => new YardError("impair.failed", message),
    );
  }

  private async reported(
    id: string,
    path: string,
    patient: boolean,
    errorOf: (message: string) => YardError,
  ): Promise<void> {
    const config = this.desired.files.get(path);
    if (config?.type !== "text" || !this.desired.services.has(id)) return;
    try {
      for (const { purpose, message } of await serviceReport(path, config.text, patient, this.site.signal)) {
        const error = errorOf(message);
        this.blame.add(parsePurpose(purpose), error, error.code);
      }
    } catch (error) {
      this.blame.add({ kind: "yard" }, error, "service.not-reporting");
    }
  }

  /** Whether a node runs by now. */
  lives(node: string): boolean {
    if (!this.desired.containers.has(node)) return true;
    const status = this.containerOf(node)?.status;
    return status === "running" || status === "paused";
  }

  private containerOf(node: string): ContainerState | undefined {
    return this.started.get(node) ?? this.seen.containers.get(node);
  }

  private containerName(node: string): string {
    return this.seen.containers.get(node)?.name ?? this.desired.containers.get(node)?.config?.name ?? node;
  }
}

async function both(a: Promise<void>, b: Promise<void>): Promise<void> {
  await Promise.all([a, b]);
}
