import { existsSync } from "node:fs";
import { YardError } from "@switchyard/base";
import {
  type ContainerEngine,
  type CopyProgress,
  copyIntoGuest,
  copyOutOfGuest,
  type ExecStreams,
  execInNamespace,
  type VmEngine,
  type VmExecOptions,
} from "@switchyard/runtime";
import type { Engines } from "../agent/engines.ts";
import type { Hypervisor } from "../agent/hypervisor.ts";
import { containerName } from "../agent/names.ts";
import type { YardPaths } from "../agent/paths.ts";
import { isJoint } from "../model/joints.ts";
import type { NodeEntry, Rows } from "../store/rows.ts";
import { findNode, findRunningNode } from "../view/find.ts";
import { viewOf } from "../view/read.ts";
import type { YardView } from "../view/types.ts";
import { processBegan } from "../view/uptime.ts";
import { execBySsh, hostsWay, type SshWay, sshShell } from "./ssh.ts";

/** What runs containers and virtual machines, and where what nats have leased is told. */
export interface Runners {
  readonly engines: Engines;
  readonly hypervisor: Hypervisor;
  readonly paths: Pick<YardPaths, "run">;
}

/** By which way into a virtual machine; without one, by that which there is. */
export interface InsideOptions extends VmExecOptions {
  readonly ssh?: SshWay | undefined;
}

/** What is to be copied between a node and the host. */
export interface Copy {
  readonly inside: string;
  readonly outside: string;
  /** Into the node, or out of it. */
  readonly into: boolean;
  readonly ssh?: SshWay | undefined;
  /** By the shell at the serial console of a virtual machine. */
  readonly onConsole?: boolean;
  /** Told of what goes slowly. */
  readonly progress?: CopyProgress | undefined;
}

/** A way into the nodes of a yard as it was at one moment: straight to the kernel and the engines, past the agent. Only for root. */
export class Inside {
  readonly view: YardView;
  readonly #nodes: ReadonlyMap<string, NodeEntry>;

  constructor(
    yard: string,
    rows: Rows,
    private readonly runners: Runners,
  ) {
    this.view = viewOf(yard, rows, processBegan);
    this.#nodes = new Map(rows.nodes.map((node) => [node.name, node]));
  }

  /**
   * Runs a command in a running node.
   *
   * @returns its exit code
   * @throws YardError `node.unknown`, `node.not-running`, and those of the runtime
   */
  async exec(name: string, options: InsideOptions, streams: ExecStreams): Promise<number> {
    const { namespace } = findRunningNode(this.view, name);
    const container = await this.container(name);
    if (container !== undefined) return container.engine.exec(container.name, options, streams);
    const machine = await this.machine(name);
    if (machine !== undefined) {
      const ssh = await this.sshWay(name, options);
      if (ssh === undefined) return machine.engine.exec(machine.name, options, streams);
      return execBySsh(ssh, await hostsWay(this.view, name, this.runners.paths), options, streams);
    }
    this.#refuseJoint(name);
    const env = { ...this.#nodes.get(name)?.spec.env, ...options.env };
    return execInNamespace(namespace, { ...options, env }, streams);
  }

  /**
   * How a virtual machine is entered by ssh, where that is what is asked for, or what is left: its guest agent does not
   * answer, and how ssh gets in is declared.
   *
   * @param tty whether a terminal is needed, which an agent has not
   */
  async sshWay(
    name: string,
    { ssh, onConsole = false, tty = false }: Pick<InsideOptions, "ssh" | "onConsole"> & { readonly tty?: boolean },
  ): Promise<SshWay | undefined> {
    if (ssh !== undefined || onConsole) return ssh;
    const spec = this.#nodes.get(name)?.spec;
    if (spec?.kind !== "vm" || spec.ssh === undefined) return undefined;
    const machine = await this.machine(name);
    return !tty && (await machine?.engine.answers(machine.name)) ? undefined : spec.ssh;
  }

  /** The engine of a node that is a container, and its name there; undefined for a bare namespace. */
  async container(node: string): Promise<{ readonly engine: ContainerEngine; readonly name: string } | undefined> {
    const spec = this.#nodes.get(node)?.spec;
    if (spec?.kind !== "container" && spec?.kind !== "guest") return undefined;
    const engine = await this.runners.engines.get({ runtime: spec.runtime, engine: spec.engine });
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
    return { engine: await this.runners.hypervisor.get(), name: containerName(this.view.yard, node) };
  }

  /**
   * The same of a node that must be a virtual machine.
   *
   * @throws YardError `node.unknown`, `node.not-vm`
   */
  async theMachine(node: string): Promise<{ readonly engine: VmEngine; readonly name: string }> {
    const { kind } = findNode(this.view, node);
    const machine = await this.machine(node);
    if (machine !== undefined) return machine;
    throw new YardError("node.not-vm", `node ${node} is no virtual machine but a ${kind}`, {
      hint: `a shell in it: yard shell ${node}`,
    });
  }

  /**
   * The same of one that may be switched on.
   *
   * @throws YardError `node.unknown`, `node.not-vm`, `node.stopped`
   */
  async theBootable(node: string): Promise<{ readonly engine: VmEngine; readonly name: string }> {
    const machine = await this.theMachine(node);
    if (!findNode(this.view, node).stopped) return machine;
    throw new YardError("node.stopped", `node ${node} is stopped, and would be switched off again`, {
      hint: `start it: yard start ${node}`,
    });
  }

  /**
   * What the first process of a container has printed, or the serial console of a virtual machine.
   *
   * @throws YardError `node.unknown`, `node.no-logs`, `node.not-running` for one that was never made
   */
  async logs(node: string, options: Parameters<ContainerEngine["logs"]>[1], out: ExecStreams): Promise<void> {
    findNode(this.view, node);
    const runner = (await this.container(node)) ?? (await this.machine(node));
    if (runner === undefined)
      throw new YardError("node.no-logs", `node ${node} is a bare namespace, which has no output of its own`, {
        hint: "only containers and virtual machines have logs; the output of `exec` is where you ran it",
      });
    try {
      await runner.engine.logs(runner.name, options, out);
    } catch (error) {
      // One that could not be made: why is what people want to know.
      if (error instanceof YardError && error.code === "runtime.no-such-container") findRunningNode(this.view, node);
      throw error;
    }
  }

  /**
   * Copies a file or folder between a node and the host: of a virtual machine by its guest agent, else by ssh where it
   * is declared how, else by its serial console where it has no agent.
   *
   * @throws YardError `node.unknown`, `cp.host-files`, `cp.missing`
   */
  async copy(node: string, copy: Copy, signal: AbortSignal): Promise<void> {
    const { inside, outside, into } = copy;
    findNode(this.view, node);
    const container = await this.container(node);
    const machine = await this.machine(node);
    const runner = container ?? machine;
    if (runner === undefined)
      throw new YardError("cp.host-files", `node ${node} is a bare namespace: it has the host's files`, {
        hint: "use the path as it is, on the host",
      });
    if (into && !existsSync(outside)) throw new YardError("cp.missing", `${outside} does not exist`);
    const ssh = machine && (await this.sshWay(node, copy));
    if (ssh !== undefined) {
      const guest = sshShell(ssh, await hostsWay(this.view, node, this.runners.paths));
      return into ? copyIntoGuest(guest, outside, inside, signal) : copyOutOfGuest(guest, inside, outside, signal);
    }
    if (machine !== undefined && (copy.onConsole || !this.#hasAgent(node))) {
      const { progress } = copy;
      return machine.engine.copyOnConsole(machine.name, { inside, outside, into, progress, signal });
    }
    await runner.engine.copy(runner.name, inside, outside, into, signal);
  }

  #hasAgent(node: string): boolean {
    const spec = this.#nodes.get(node)?.spec;
    return spec?.kind === "vm" && spec.guestAgent;
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
}
