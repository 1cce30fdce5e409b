import { type Logger, parseCidr, parseMac, YardError } from "@switchyard/base";
import {
  adoptNamespace,
  applyLinksInSlices,
  createNamespacesInSlices,
  deleteNamespacesInSlices,
  type LinkFailure,
  type LinkOp,
  type NamespaceRef,
  setSysctls,
} from "@switchyard/linux";
import type { ContainerState } from "@switchyard/runtime";
import { applySwitch } from "@switchyard/vswitch";
import { type Action, PHASES, type Phase, phaseOf } from "./action.ts";
import { Blame, type Failure } from "./blame.ts";
import { runCommands } from "./commands.ts";
import { deleteFile, writeFile } from "./files.ts";
import { endProcessesIn, handlesTermination } from "./inhabitants.ts";
import { formatAlias } from "./mark.ts";
import { relayFile } from "./names.ts";
import { type ExecMark, FAR_END, lifeOf, type World } from "./observe.ts";
import { relayReport } from "./relay-report.ts";
import { parseRoute } from "./route.ts";
import type { Services } from "./services.ts";
import { HOST, type State, type VethState } from "./state.ts";
import type { Subject } from "./subject.ts";
import type { NamespaceViews } from "./views.ts";

/** What the executor works on, beside what the observer looks at. */
export interface Site extends World {
  readonly services: Services;
  readonly views: Pick<NamespaceViews, "read" | "forget">;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /**
   * Ends the switch's daemon, lets `meanwhile` take away what it held, and starts it again. Undefined where the switch
   * is not ours to stop.
   */
  readonly bounce: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
}

/** What came of a plan. */
export interface Outcome {
  /** What could not be done; everything else was. */
  readonly failures: readonly Failure[];
  /** The containers that were started, by node. */
  readonly started: ReadonlyMap<string, ContainerState>;
  /** The marks of the nodes whose commands were run. */
  readonly marks: ReadonlyMap<string, ExecMark>;
}

type Do = Action["do"];
type ActionOf<D extends Do> = Extract<Action, { readonly do: D }>;

/** The id of the service that publishes ports. */
const RELAY = "relay";

/** Milliseconds between SIGTERM and SIGKILL for a container's first process and for what runs in a namespace. */
const GRACE = 5_000;

/**
 * Carries a plan out, phase by phase, each as one batch. A failure is told with whom it was for and spares everybody
 * else: only what hangs on the thing that failed is left undone.
 *
 * @param containers the yard's containers as observed, by node
 */
export async function apply(
  site: Site,
  desired: State,
  actions: readonly Action[],
  containers: ReadonlyMap<string, ContainerState>,
): Promise<Outcome> {
  const work = new Work(site, desired, containers);
  const phases = Map.groupBy(actions, phaseOf);
  const run = async (phase: Phase) => {
    site.signal.throwIfAborted();
    const due = (phases.get(phase) ?? []).filter(({ subject }) => !work.blame.blocks(subject));
    if (due.length === 0) return;
    const began = performance.now();
    site.log.debug({ phase, actions: due.length }, "phase begins");
    await work.run(phase, due);
    site.log.debug({ phase, actions: due.length, milliseconds: Math.round(performance.now() - began) }, "phase done");
  };

  // Only containers need the files before they are made; otherwise they are written while the switch works.
  let rest: readonly Phase[] = phases.has("create containers")
    ? PHASES
    : PHASES.toSpliced(PHASES.indexOf("files"), 1).toSpliced(PHASES.indexOf("switch"), 0, "files");
  const doomed = [...only(actions, "port-delete"), ...only(actions, "bridge-delete")];
  if (site.bounce && worthBouncing(doomed.length, site)) {
    const deletions: readonly Phase[] = ["stop services", "remove containers", "delete namespaces", "delete links"];
    await site.bounce(async () => {
      for (const phase of deletions) await run(phase);
      await work.switch(doomed, false);
    });
    const done = new Set<Action>(doomed);
    phases.set("switch", phases.get("switch")?.filter((it) => !done.has(it)) ?? []);
    rest = rest.filter((phase) => !deletions.includes(phase));
  }
  let switching: Promise<void> | undefined;
  for (const phase of rest) {
    // The daemon takes its transaction while we configure the namespaces: it is the longest step of a large plan.
    if (phase === "switch") {
      switching = run(phase);
      switching.catch(() => {});
    } else if (phase === "configure") {
      await run(phase);
      await switching;
    } else await run(phase);
  }
  await work.published();
  return { failures: work.blame.failures(), started: work.started, marks: work.marks };
}

/**
 * Whether it is quicker, and stalls the others' traffic for less time, to end the daemon and start it on what remains
 * than to have it remove `doomed` ports: it takes some 20 ms for each, forwarding nothing meanwhile, against 300 ms to
 * start and 1.2 ms for each port that stays.
 */
function worthBouncing(doomed: number, site: Site): boolean {
  const remaining = Math.max(site.vswitch.table("Port").size - doomed, 0);
  return doomed * 20 > 500 + remaining * 1.2;
}

class Work {
  readonly blame = new Blame();
  readonly marks = new Map<string, ExecMark>();
  readonly started = new Map<string, ContainerState>();

  constructor(
    private readonly site: Site,
    private readonly desired: State,
    private readonly containers: ReadonlyMap<string, ContainerState>,
  ) {}

  async run(phase: Phase, actions: readonly Action[]): Promise<void> {
    switch (phase) {
      case "stop services":
        return await this.each(actions, "service-stop", "service.not-stopped", ({ id }) => this.site.services.stop(id));
      case "remove containers":
        return await this.each(actions, "container-remove", "node.container-failed", (action) => this.remove(action));
      case "delete namespaces":
        return await this.deleteNamespaces(only(actions, "namespace-delete"));
      case "delete links":
      case "links":
        return await this.links(actions);
      case "files":
        return this.files(actions);
      case "namespaces":
        return await this.createNamespaces(only(actions, "namespace-create"));
      case "create containers":
        return await this.each(actions, "container-create", "node.container-failed", (action) => this.create(action));
      case "start containers with a namespace of their own":
      case "start containers":
        return await this.each(actions, "container-start", "node.container-failed", async ({ node, container }) => {
          const engine = await this.site.engines.get(container);
          this.started.set(node, await engine.start(this.containerName(node), this.site.signal));
        });
      case "adopt namespaces":
        return await this.each(actions, "namespace-adopt", "node.namespace-failed", async ({ namespace, node }) => {
          const pid = this.containerOf(node)?.pid;
          if (pid === undefined) throw new YardError("node.exited", `the container of ${node} has ended`);
          adoptNamespace(namespace, pid);
        });
      case "switch":
        return await this.switch(actions, true);
      case "configure":
        return await this.configure(actions);
      case "services":
        return await this.each(actions, "service-start", "service.not-started", ({ id, state }) =>
          this.site.services.start(id, state.argv),
        );
      case "exec":
        return await this.each(actions, "exec", "node.exec-failed", (action) => this.exec(action));
    }
  }

  /** Does all actions of one sort side by side; what fails is blamed on its subject. */
  private async each<D extends Do>(
    actions: readonly Action[],
    what: D,
    code: string,
    act: (action: ActionOf<D>) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      only(actions, what).map((action) => act(action).catch((error) => this.blame.add(action.subject, error, code))),
    );
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

  private async remove({ node, container }: ActionOf<"container-remove">): Promise<void> {
    const pid = this.containers.get(node)?.pid;
    const grace = pid !== undefined && handlesTermination(pid) ? GRACE : 0;
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

  private async links(actions: readonly Action[]): Promise<void> {
    const batch = new LinkWork(this.site);
    for (const action of actions) {
      const { subject } = action;
      if (action.do === "veth-delete") batch.near(subject, { op: "delete", name: action.veth });
      else if (action.do === "veth-create") batch.near(subject, this.vethOp(action.veth, action.state));
      else if (action.do === "veth-set") {
        const { mac, mtu, up } = action;
        const both = { ...(mtu === undefined ? {} : { mtu }), ...(up === undefined ? {} : { up }) };
        batch.near(subject, { op: "set", name: action.veth, ...both });
        const far = {
          op: "set",
          name: action.name,
          ...both,
          ...(mac === undefined ? {} : { mac: parseMac(mac) }),
        } as const;
        batch.add(subject, namespaceRef(action.namespace), far);
      }
    }
    await batch.run(this.blame);
  }

  private vethOp(name: string, state: VethState): LinkOp {
    const { yard } = this.site.paths;
    return {
      op: "veth",
      name,
      alias: formatAlias(yard, state.purpose),
      mtu: state.mtu,
      up: state.up,
      peer: {
        name: state.name,
        namespace: namespaceRef(state.namespace),
        alias: formatAlias(yard, `${FAR_END}${name}`),
        ...(state.mac === "" ? {} : { mac: parseMac(state.mac) }),
        up: state.up,
      },
    };
  }

  /** One transaction for all of it. */
  async switch(actions: readonly Action[], wait: boolean): Promise<void> {
    const subjects = new Map<string, Subject>();
    const change = {
      setBridges: new Map(only(actions, "bridge-set").map(({ bridge, state }) => [bridge, state])),
      deleteBridges: only(actions, "bridge-delete").map(({ bridge }) => bridge),
      setPorts: new Map(only(actions, "port-set").map(({ port, state }) => [port, state])),
      deletePorts: only(actions, "port-delete").map(({ port }) => port),
    };
    for (const action of actions) {
      const name = "bridge" in action ? action.bridge : "port" in action ? action.port : "";
      subjects.set(name, action.subject);
    }
    try {
      const result = await applySwitch(this.site.vswitch, change, {
        owner: this.site.paths.yard,
        signal: this.site.signal,
        wait,
      });
      for (const { name, code, message } of result.failures)
        this.blame.add(subjectOf(subjects, name), new YardError(code, message), code);
    } catch (error) {
      for (const { subject } of actions) this.blame.add(subject, error, "switch.failed");
    }
  }

  /** Kernel parameters first: some decide what the addresses may be. */
  private async configure(actions: readonly Action[]): Promise<void> {
    const sysctls = new Map<string, { subject: Subject; values: Record<string, string> }>();
    for (const { namespace, name, value, subject } of only(actions, "sysctl-set")) {
      const entry = sysctls.get(namespace) ?? { subject, values: {} };
      entry.values[name] = value;
      sysctls.set(namespace, entry);
    }
    for (const [name, { subject, values }] of sysctls) {
      try {
        for (const { name: sysctl, message } of setSysctls(namespaceRef(name), values))
          this.blame.add(subject, new YardError("node.sysctl-refused", `${sysctl}: ${message}`), "node.sysctl-refused");
      } catch (error) {
        this.blame.add(subject, error, "node.sysctl-refused");
      }
    }
    const batch = new LinkWork(this.site);
    for (const action of actions) {
      const { subject } = action;
      if (action.do === "address-add" || action.do === "address-delete") {
        const op: LinkOp = { op: action.do, name: action.name, address: parseCidr(action.address) };
        batch.add(subject, namespaceRef(action.namespace), op);
      } else if (action.do === "route-add" || action.do === "route-delete")
        batch.add(subject, namespaceRef(action.namespace), { op: action.do, route: parseRoute(action.route) });
    }
    await batch.run(this.blame);
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

  /** Learns which ports the relay could not publish, whether it was told of them now or before. */
  async published(): Promise<void> {
    const path = relayFile(this.site.paths.run);
    const config = this.desired.files.get(path);
    if (config?.type !== "text" || !this.desired.services.has(RELAY)) return;
    try {
      for (const [node, error] of await relayReport(path, config.text, this.site.signal))
        this.blame.add({ kind: "node", node }, error, error.code);
    } catch (error) {
      this.blame.add({ kind: "yard" }, error, "node.port-timeout");
    }
  }

  private containerOf(node: string): ContainerState | undefined {
    return this.started.get(node) ?? this.containers.get(node);
  }

  private containerName(node: string): string {
    return this.containers.get(node)?.name ?? this.desired.containers.get(node)?.config?.name ?? node;
  }
}

/** Link operations by namespace, and whom each is for. */
class LinkWork {
  readonly #batches = new Map<string, { namespace: NamespaceRef; ops: LinkOp[] }>();
  readonly #subjects = new Map<LinkOp, Subject>();

  constructor(private readonly site: Site) {}

  /** An operation in the switch's namespace. */
  near(subject: Subject, op: LinkOp): void {
    this.add(subject, this.site.namespace, op);
  }

  add(subject: Subject, namespace: NamespaceRef, op: LinkOp): void {
    const key =
      typeof namespace === "string" ? namespace : "name" in namespace ? ` ${namespace.name}` : `${namespace.pid}`;
    const batch = this.#batches.get(key) ?? { namespace, ops: [] };
    batch.ops.push(op);
    this.#batches.set(key, batch);
    this.#subjects.set(op, subject);
  }

  async run(blame: Blame): Promise<void> {
    const batches = [...this.#batches.values()];
    const peers = batches.flatMap(({ ops }) => ops.flatMap((op) => (op.op === "veth" ? [op.peer.namespace] : [])));
    this.site.views.forget([...batches.map(({ namespace }) => namespace), ...peers]);
    for (const failure of await applyLinksInSlices(batches)) {
      const subject = this.#subjects.get(failure.op);
      if (subject && !alreadySo(failure)) {
        const message = `${describeOp(failure.op)} was refused: ${failure.message}`;
        blame.add(subject, new YardError("nic.refused", message, { where: failure.errno }), "nic.refused");
      }
    }
  }
}

/** An action may be repeated: what is there already, or is gone already, is success. */
function alreadySo({ op, errno }: LinkFailure): boolean {
  switch (op.op) {
    case "address-add":
    case "route-add":
      return errno === "EEXIST";
    case "delete":
      return errno === "ENODEV";
    case "address-delete":
      return errno === "EADDRNOTAVAIL" || errno === "ENODEV";
    case "route-delete":
      return errno === "ESRCH" || errno === "ENODEV";
    case "veth":
    case "set":
      return false;
  }
}

function describeOp(op: LinkOp): string {
  switch (op.op) {
    case "veth":
      return `making the nic ${op.peer.name}`;
    case "set":
      return `setting up ${op.name}`;
    case "delete":
      return `removing ${op.name}`;
    case "address-add":
      return `adding the address ${op.address} to ${op.name}`;
    case "address-delete":
      return `removing the address ${op.address} from ${op.name}`;
    case "route-add":
      return `adding the route to ${op.route.to}`;
    case "route-delete":
      return `removing the route to ${op.route.to}`;
  }
}

function namespaceRef(name: string): NamespaceRef {
  return name === HOST ? "self" : { name };
}

function only<D extends Do>(actions: readonly Action[], what: D): ActionOf<D>[] {
  return actions.filter((action): action is ActionOf<D> => action.do === what);
}

function subjectOf(subjects: ReadonlyMap<string, Subject>, name: string): Subject {
  return subjects.get(name) ?? { kind: "yard" };
}
