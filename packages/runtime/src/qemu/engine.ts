import { existsSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delay, YardError } from "@switchyard/base";
import { endProcess, type ProcessId } from "@switchyard/linux";
import { carries, checkContainerName } from "../names.ts";
import { Turns } from "../turns.ts";
import type { ExecStreams } from "../types.ts";
import { probeAccelerator, qemuVersion } from "./accelerator.ts";
import { checkConfig, roomForNics } from "./command.ts";
import { attachConsole, writeConsole } from "./console.ts";
import { consoleShell, execFedOnConsole } from "./console-copy.ts";
import { createMachine } from "./create.ts";
import { call, execByAgent } from "./guest-agent.ts";
import { copyIntoGuest, copyOutOfGuest } from "./guest-copy.ts";
import { agentShell } from "./guest-files.ts";
import { flatten, imageLayers } from "./images.ts";
import { type Access, launch, openNicTap, processesOf, removeSockets } from "./launch.ts";
import { isPlugged, plug, unplug } from "./nics.ts";
import { type MachinePaths, machinePaths, overlayPath, type VmPaths, vmPaths } from "./paths.ts";
import { isRecord, QmpClient, type QmpPatience } from "./qmp.ts";
import {
  type Live,
  machineNames,
  noSuchMachine,
  readConfig,
  readLive,
  readReason,
  readRunning,
  stateOf,
  writeConfig,
  writeLive,
  writeReason,
} from "./record.ts";
import { backUp, checkTarget, saveTo } from "./save.ts";
import { changeByQmp, changeFiles, checkTag, snapshotsByQmp, snapshotsOfFiles, writtenFiles } from "./snapshots.ts";
import { stopMachine } from "./stop.ts";
import type {
  Accelerator,
  ConsoleCopy,
  ConsoleOptions,
  VmConfig,
  VmEngine,
  VmEngineOptions,
  VmEvent,
  VmExecOptions,
  VmHost,
  VmNic,
  VmSnapshot,
  VmState,
} from "./types.ts";
import { vmUser } from "./user.ts";
import { watchMachines } from "./watch.ts";

/** Milliseconds in which QEMU must tell its state for a list; one that does not is told as running. */
const STATUS_TIMEOUT = 1_000;

/** Milliseconds in which a child that was started has become QEMU. */
const CHILDHOOD = 500;

/** Milliseconds in which an agent answers that is not busy. */
const PRESENCE = 750;

class Qemu implements VmEngine {
  readonly kind = "qemu";
  readonly #paths: VmPaths;
  readonly #access: Access;
  /** One piece of work on a machine at a time. */
  readonly #locks = new Map<string, Turns>();
  readonly #starts = new Turns(Math.max(4, 2 * availableParallelism()));
  /** Machines made by us just now that nobody has tried to start. */
  readonly #untouched = new Set<string>();

  constructor(options: VmEngineOptions) {
    this.#paths = vmPaths(options);
    this.#access = { user: options.user ?? vmUser(), group: options.group ?? 0 };
  }

  async probe(signal?: AbortSignal): Promise<VmHost> {
    return { version: await qemuVersion(signal), accelerator: await this.#accelerator() };
  }

  /** Found out once for all who ask at the same time. */
  #probing: Promise<Accelerator> | undefined;
  #accelerator(): Promise<Accelerator> {
    this.#probing ??= probeAccelerator(this.#paths.accelerator, this.#access.user).finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  async list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<VmState[]> {
    const states = machineNames(this.#paths)
      .flatMap((name) => stateOf(this.#paths, name) ?? [])
      .filter((state) => carries(state.labels, labels));
    return Promise.all(states.map((state) => this.#withStatus(state, signal)));
  }

  async #withStatus(state: VmState, signal: AbortSignal | undefined): Promise<VmState> {
    if (state.status !== "running") return state;
    try {
      const patience = { timeout: STATUS_TIMEOUT, ...patienceOf(signal) };
      using qmp = await QmpClient.open(this.#machine(state.name).status, patience);
      const status = await qmp.execute("query-status", {}, patience);
      return isRecord(status) && status.status === "paused" ? { ...state, status: "paused" } : state;
    } catch {
      signal?.throwIfAborted();
      // Somebody else has its ear, or it has ended just now: what is noted is the best that is known.
      return stateOf(this.#paths, state.name) ?? state;
    }
  }

  async create(config: VmConfig, signal?: AbortSignal): Promise<void> {
    if (await createMachine(this.#paths, config, signal)) this.#untouched.add(config.name);
  }

  start(name: string, signal?: AbortSignal): Promise<VmState> {
    return this.#alone(name, () => this.#starts.take(() => this.#start(name, signal), signal));
  }

  async #start(name: string, signal?: AbortSignal): Promise<VmState> {
    const config = this.#config(name);
    const machine = this.#machine(name);
    const before = readRunning(this.#paths, name);
    if (before !== undefined) return this.#stateOf(name);
    // One whose QEMU was killed has no reason noted. Without either note it would look as if it had never been started, and
    // somebody else might start it, too.
    if (readLive(this.#paths, name) !== undefined && readReason(this.#paths, name) === undefined)
      writeReason(this.#paths, name, "unknown");
    await this.#clear(name, machine);
    const accelerator = await this.#accelerator();
    try {
      const process = await this.#launch(config, machine, accelerator, signal);
      // Noted before it runs: whoever finds it unnoted may end it, as it has done nothing yet.
      writeLive(this.#paths, name, { process, accelerator });
      rmSync(`${this.#paths.ended}/${name}`, { force: true });
      using qmp = await QmpClient.open(machine.control, patienceOf(signal));
      await qmp.execute("cont", {}, patienceOf(signal));
    } catch (error) {
      await this.#clear(name, machine);
      throw error;
    }
    return this.#stateOf(name);
  }

  /**
   * Launches it. Somebody may have been killed when his child was yet to become QEMU: that one is not known for one of
   * the machine's before it has, but holds its tap devices.
   */
  async #launch(
    config: VmConfig,
    machine: MachinePaths,
    accelerator: Accelerator,
    signal: AbortSignal | undefined,
  ): Promise<ProcessId> {
    try {
      return await launch(config, machine, accelerator, this.#access, signal);
    } catch (error) {
      if (!(error instanceof YardError) || error.code !== "vm.tap-in-use") throw error;
      for (let left = CHILDHOOD; processesOf(machine).length === 0; left -= 20) {
        if (left <= 0) throw error;
        await delay(20, signal);
      }
      await this.#clear(config.name, machine);
      return await launch(config, machine, accelerator, this.#access, signal);
    }
  }

  /** Ends what there is of a machine's processes, from any half-made state. */
  async #clear(name: string, machine: MachinePaths): Promise<void> {
    const live = readLive(this.#paths, name);
    if (live !== undefined) await endProcess(live.process, 0);
    // Somebody may have been killed between starting it and noting that.
    else if (!this.#untouched.has(name)) for (const id of processesOf(machine)) await endProcess(id, 0);
    this.#untouched.delete(name);
    rmSync(`${this.#paths.live}/${name}`, { force: true });
    removeSockets(machine);
  }

  stop(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    return this.#alone(name, async () => {
      this.#config(name);
      await stopMachine(this.#paths, name, grace, signal);
    });
  }

  remove(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    checkContainerName(name);
    return this.#alone(name, async () => {
      const machine = this.#machine(name);
      await stopMachine(this.#paths, name, grace, signal);
      await this.#clear(name, machine);
      rmSync(`${this.#paths.ended}/${name}`, { force: true });
      // Whoever watches sees it gone at once; the rest is found by its dot after a crash.
      const trash = `${this.#paths.machines}/.gone-${name}-${process.pid}`;
      rmSync(trash, { recursive: true, force: true });
      if (existsSync(machine.folder)) renameSync(machine.folder, trash);
      this.#sweep(name);
    });
  }

  /** Deletes the half-made and half-removed folders of a machine. */
  #sweep(name: string): void {
    if (!existsSync(this.#paths.machines)) return;
    for (const entry of new Bun.Glob(".{new,gone}-*").scanSync({
      cwd: this.#paths.machines,
      dot: true,
      onlyFiles: false,
    })) {
      const match = /^\.(?:new|gone)-(.+)-\d+$/.exec(entry);
      if (match?.[1] === name) rmSync(`${this.#paths.machines}/${entry}`, { recursive: true, force: true });
    }
  }

  pause(name: string, signal?: AbortSignal): Promise<void> {
    return this.#command(name, "stop", signal);
  }

  resume(name: string, signal?: AbortSignal): Promise<void> {
    return this.#command(name, "cont", signal);
  }

  reset(name: string, signal?: AbortSignal): Promise<void> {
    return this.#command(name, "system_reset", signal);
  }

  #command(name: string, command: string, signal: AbortSignal | undefined): Promise<void> {
    return this.#alone(name, async () => {
      using qmp = await this.#monitor(name, signal);
      await qmp.execute(command, {}, patienceOf(signal));
    });
  }

  attachNic(name: string, nic: VmNic, signal?: AbortSignal): Promise<void> {
    return this.#alone(name, async () => {
      const config = this.#config(name);
      const others = config.nics.filter(({ index }) => index !== nic.index);
      const present = config.nics.find(({ index }) => index === nic.index);
      if (present !== undefined && present.tap !== nic.tap)
        throw new YardError("vm.nic-taken", `nic ${nic.index} of ${name} is there already, on ${present.tap}`);
      const changed = { ...config, nics: [...others, nic].sort((a, b) => a.index - b.index) };
      checkConfig(changed);
      if (readRunning(this.#paths, name) !== undefined) {
        if (nic.index >= roomForNics(config))
          throw new YardError("vm.no-nic-slot", `${name} has no slot for a nic ${nic.index} while it runs`, {
            hint: "stop it first, or make it with room for more nics",
          });
        using qmp = await this.#monitor(name, signal);
        if (await isPlugged(qmp, nic.index, patienceOf(signal))) {
          if (present !== undefined) return;
          // Left by somebody who was killed before he noted it.
          await unplug(qmp, nic.index, patienceOf(signal));
        }
        await plug(qmp, nic, openNicTap(config, nic), patienceOf(signal));
      }
      writeConfig(this.#paths, changed);
    });
  }

  detachNic(name: string, index: number, signal?: AbortSignal): Promise<void> {
    return this.#alone(name, async () => {
      const config = this.#config(name);
      if (readRunning(this.#paths, name) !== undefined) {
        using qmp = await this.#monitor(name, signal);
        await unplug(qmp, index, patienceOf(signal));
      }
      // What mostNics did not say the nics said: the room must not shrink under those that stay.
      const mostNics = Math.max(config.mostNics ?? 0, roomForNics(config));
      writeConfig(this.#paths, { ...config, mostNics, nics: config.nics.filter((nic) => nic.index !== index) });
    });
  }

  async console(name: string, options: ConsoleOptions, streams: ExecStreams): Promise<"left" | "ended"> {
    return attachConsole(this.#machine(name), this.#running(name).process, options, streams);
  }

  async exec(name: string, options: VmExecOptions, streams: ExecStreams): Promise<number> {
    const { process } = this.#running(name);
    if (options.onConsole === true || !this.#config(name).guestAgent)
      return execFedOnConsole(this.#machine(name), name, process, options, streams);
    return execByAgent(this.#agent(name), options, streams);
  }

  async logs(
    name: string,
    options: { readonly follow: boolean; readonly tail?: number; readonly signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void> {
    this.#config(name);
    await writeConsole(this.#machine(name), readRunning(this.#paths, name)?.process, options, out);
  }

  async copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void> {
    const guest = agentShell(this.#agent(name));
    if (into) await copyIntoGuest(guest, outside, inside, signal);
    else await copyOutOfGuest(guest, inside, outside, signal);
  }

  async copyOnConsole(name: string, { inside, outside, into, progress, signal }: ConsoleCopy): Promise<void> {
    const { process } = this.#running(name);
    const guest = await consoleShell(this.#machine(name), name, process, progress, signal);
    if (into) await copyIntoGuest(guest, outside, inside, signal);
    else await copyOutOfGuest(guest, inside, outside, signal);
  }

  async answers(name: string): Promise<boolean> {
    if (!this.#config(name).guestAgent) return false;
    try {
      await call(this.#agent(name), "guest-ping", {}, PRESENCE);
      return true;
    } catch (error) {
      if (error instanceof YardError && error.code === "vm.agent-absent") return false;
      throw error;
    }
  }

  async snapshots(name: string, signal?: AbortSignal): Promise<VmSnapshot[]> {
    const files = writtenFiles(this.#config(name), this.#machine(name));
    return [
      ...(await this.#eitherWay(
        name,
        signal,
        (qmp, patience) => snapshotsByQmp(qmp, patience),
        () => snapshotsOfFiles(files, signal),
      )),
    ];
  }

  async takeSnapshot(name: string, tag: string, signal?: AbortSignal): Promise<void> {
    checkTag(tag);
    if ((await this.snapshots(name, signal)).some((snapshot) => snapshot.tag === tag))
      throw new YardError("vm.snapshot-exists", `${name} has a snapshot ${tag} already`, {
        hint: "delete that one first, or choose another name",
      });
    await this.#changeSnapshot(name, tag, "snapshot-save", "-c", signal);
  }

  revert(name: string, tag: string, signal?: AbortSignal): Promise<void> {
    return this.#changeSnapshot(name, tag, "snapshot-load", "-a", signal);
  }

  deleteSnapshot(name: string, tag: string, signal?: AbortSignal): Promise<void> {
    return this.#changeSnapshot(name, tag, "snapshot-delete", "-d", signal);
  }

  async #changeSnapshot(
    name: string,
    tag: string,
    job: Parameters<typeof changeByQmp>[1],
    option: Parameters<typeof changeFiles>[0],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    checkTag(tag);
    const config = this.#config(name);
    const files = writtenFiles(config, this.#machine(name));
    await this.#eitherWay(
      name,
      signal,
      (qmp, patience) => changeByQmp(qmp, job, tag, config, patience),
      () => changeFiles(option, tag, files, signal),
    );
  }

  async save(name: string, file: string, signal?: AbortSignal): Promise<void> {
    checkTarget(file);
    const config = this.#config(name);
    const machine = this.#machine(name);
    const [disk] = config.disks;
    if (disk === undefined) throw new YardError("vm.save-failed", `${name} has no disk to be saved`);
    const source = disk.persistent ? disk.file : overlayPath(machine, 0);
    await this.#eitherWay(
      name,
      signal,
      async (qmp, patience) => {
        // The machine itself has it in use.
        const [layer] = await imageLayers(source, signal, true);
        await saveTo(file, machine, (draft) => backUp(qmp, layer, draft, this.#access.user, patience));
      },
      async () => {
        const [layer] = await imageLayers(source, signal);
        await saveTo(file, machine, (draft) => flatten(layer, draft, signal));
      },
    );
  }

  watch(labels: Readonly<Record<string, string>>, listener: (event: VmEvent) => void, signal: AbortSignal): void {
    watchMachines(this.#paths, labels, listener, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** By QEMU when the machine runs, else on its files. */
  #eitherWay<R>(
    name: string,
    signal: AbortSignal | undefined,
    running: (qmp: QmpClient, patience: QmpPatience) => Promise<R>,
    atRest: () => Promise<R>,
  ): Promise<R> {
    return this.#alone(name, async () => {
      if (readRunning(this.#paths, name) === undefined) return atRest();
      using qmp = await this.#monitor(name, signal);
      return await running(qmp, patienceOf(signal));
    });
  }

  async #alone<R>(name: string, work: () => Promise<R>): Promise<R> {
    const lock = this.#locks.get(name) ?? new Turns(1);
    this.#locks.set(name, lock);
    return lock.take(work);
  }

  #machine(name: string): MachinePaths {
    return machinePaths(this.#paths, checkContainerName(name));
  }

  #config(name: string): VmConfig {
    const config = readConfig(this.#paths, checkContainerName(name));
    if (config === undefined) throw noSuchMachine(name);
    return config;
  }

  async #stateOf(name: string): Promise<VmState> {
    const state = stateOf(this.#paths, name);
    if (state === undefined) throw noSuchMachine(name);
    return this.#withStatus(state, undefined);
  }

  #running(name: string): Live {
    this.#config(name);
    const live = readRunning(this.#paths, name);
    if (live !== undefined) return live;
    throw new YardError("vm.not-running", `the virtual machine ${name} is not running`, {
      hint: "start it, or see in its log why it has ended",
    });
  }

  /** The socket of a running machine's guest agent. */
  #agent(name: string): string {
    this.#running(name);
    if (this.#config(name).guestAgent) return this.#machine(name).agent;
    throw new YardError("vm.agent-absent", `${name} has no channel to a guest agent`, {
      hint: "make it with one, or use its console",
    });
  }

  async #monitor(name: string, signal: AbortSignal | undefined): Promise<QmpClient> {
    this.#running(name);
    return QmpClient.open(this.#machine(name).control, patienceOf(signal));
  }
}

function patienceOf(signal: AbortSignal | undefined): QmpPatience {
  return signal === undefined ? {} : { signal };
}

/** Virtual machines by QEMU. Nothing is asked of it yet (`probe` does). */
export function openQemu(options: VmEngineOptions): VmEngine {
  return new Qemu(options);
}
