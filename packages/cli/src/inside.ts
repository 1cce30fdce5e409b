import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import {
  type ContainerEngine,
  type ExecStreams,
  execInNamespace,
  type VmEngine,
  type VmExecOptions,
} from "@switchyard/runtime";
import { containerName, Engines, Hypervisor } from "@switchyard/yard/agent";
import { isJoint } from "@switchyard/yard/model";
import { yardPaths } from "@switchyard/yard/paths";
import { type NodeEntry, rowsOf } from "@switchyard/yard/store";
import { openYard } from "./connect.ts";
import { needRoot, type Session } from "./session.ts";
import { findRunningNode } from "./target.ts";
import { currentView } from "./view/current.ts";
import type { YardView } from "./view/types.ts";

/** A way into the nodes of a yard: straight to the kernel and the engines, past the agent. Only for root. */
export class Inside implements AsyncDisposable {
  readonly view: YardView;
  readonly #nodes: ReadonlyMap<string, NodeEntry>;
  readonly #engines: Engines;
  readonly #hypervisor: Hypervisor;

  private constructor(view: YardView, nodes: readonly NodeEntry[], engines: Engines, hypervisor: Hypervisor) {
    this.view = view;
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#engines = engines;
    this.#hypervisor = hypervisor;
  }

  /**
   * @param argv the command line, for the error's hint
   * @throws YardError `privilege.root-needed`, `yard.not-running`
   */
  static async open(session: Session, yard: string, argv: readonly string[]): Promise<Inside> {
    needRoot(argv, "to enter a node");
    await using store = await openYard(session, yard);
    const paths = yardPaths(yard, session.env);
    const log = createLogger("yard", session.env.SWITCHYARD_LOG ?? "silent");
    const nodes = rowsOf(store.db).nodes;
    return new Inside(currentView(yard, store), nodes, new Engines(paths, log), new Hypervisor(paths, log));
  }

  /**
   * Runs a command in a running node.
   *
   * @returns its exit code
   * @throws YardError `node.unknown`, `node.not-running`, and those of the runtime
   */
  async exec(name: string, options: VmExecOptions, streams: ExecStreams): Promise<number> {
    const { namespace } = findRunningNode(this.view, name);
    const container = await this.container(name);
    if (container !== undefined) return container.engine.exec(container.name, options, streams);
    const machine = await this.machine(name);
    if (machine !== undefined) return machine.engine.exec(machine.name, options, streams);
    this.#refuseJoint(name);
    const env = { ...this.#nodes.get(name)?.spec.env, ...options.env };
    return execInNamespace(namespace, { ...options, env }, streams);
  }

  /** The engine of a node that is a container, and its name there; undefined for a bare namespace. */
  async container(node: string): Promise<{ readonly engine: ContainerEngine; readonly name: string } | undefined> {
    const spec = this.#nodes.get(node)?.spec;
    if (spec?.kind !== "container" && spec?.kind !== "guest") return undefined;
    const engine = await this.#engines.get({ runtime: spec.runtime, engine: spec.engine });
    if (spec.kind === "container") return { engine, name: containerName(this.view.yard, node) };
    if (spec.container === undefined)
      throw new YardError("node.not-running", `the engine has not yet told which container ${node} is`);
    return { engine, name: spec.container };
  }

  isMachine(node: string): boolean {
    return this.#nodes.get(node)?.spec.kind === "vm";
  }

  /** What runs a node that is a virtual machine, and its name there; undefined for others. */
  async machine(node: string): Promise<{ readonly engine: VmEngine; readonly name: string } | undefined> {
    if (this.#nodes.get(node)?.spec.kind !== "vm") return undefined;
    return { engine: await this.#hypervisor.get(), name: containerName(this.view.yard, node) };
  }

  /** The name of a running node's namespace. @throws YardError `node.unknown`, `node.not-running`, `node.no-namespace` */
  namespace(node: string): string {
    const { namespace, state, kind } = findRunningNode(this.view, node);
    if (kind === "vm")
      throw new YardError(
        "node.no-namespace",
        `node ${node} is a virtual machine, which has no namespace to do this in`,
        {
          hint: `run a command in it instead: yard exec ${node} -- …`,
        },
      );
    this.#refuseJoint(node);
    if (namespace === "") throw new YardError("node.not-running", `node ${node} is ${state} but has no namespace yet`);
    return namespace;
  }

  #refuseJoint(node: string): void {
    const spec = this.#nodes.get(node)?.spec;
    if (spec !== undefined && isJoint(spec))
      throw new YardError("node.no-namespace", `nothing runs in ${node}, which is of kind ${spec.kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engines[Symbol.asyncDispose]();
    await this.#hypervisor[Symbol.asyncDispose]();
  }
}
