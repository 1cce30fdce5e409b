/** Starts QEMU: opens all that it works on, gives up every right, and lets it run on without us. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { childEnvironment, errnoOf, YardError } from "@switchyard/base";
import {
  endProcess,
  identify,
  listenUnix,
  type NamespaceRef,
  openMacvtap,
  openTap,
  type ProcessId,
} from "@switchyard/linux";
import { readOptional } from "../oci/record.ts";
import { hardwareGroups, QEMU, qemuMissing } from "./accelerator.ts";
import { type Descriptors, qemuArguments } from "./command.ts";
import { imageError, imageLayers } from "./images.ts";
import { type MachinePaths, machineUuid, overlayPath } from "./paths.ts";
import { QmpClient } from "./qmp.ts";
import type { Accelerator, VmConfig, VmNic, VmUser } from "./types.ts";
import { unprivileged } from "./user.ts";

/** Milliseconds in which QEMU must have made the machine; with many nics on a busy host it may take some. */
const LAUNCH_TIMEOUT = 30_000;

/** As whom machines run, and who may talk to them. */
export interface Access {
  readonly user: VmUser;
  /** The group of the sockets. */
  readonly group: number;
}

/** The namespace that has a machine's tap devices. */
function tapNamespace(config: VmConfig): NamespaceRef {
  return config.namespace === undefined ? "self" : { name: config.namespace };
}

/**
 * Starts a machine's QEMU; the machine itself does not run yet.
 *
 * @throws YardError `vm.start-failed`, `vm.image-…`, `vm.tap-…`, `vm.file-absent`, `vm.qemu-missing`
 */
export async function launch(
  config: VmConfig,
  machine: MachinePaths,
  accelerator: Accelerator,
  access: Access,
  signal?: AbortSignal,
): Promise<ProcessId> {
  mkdirSync(machine.control.slice(0, machine.control.lastIndexOf("/")), { recursive: true });
  mkdirSync(machine.work, { recursive: true });
  chownSync(machine.work, access.user.uid, access.user.gid);
  chmodSync(machine.work, 0o700);
  using files = new OpenFiles();
  const open = await openAll(files, config, machine, access, signal);
  const [program, ...rest] = unprivileged(access.user, accelerator.name === "kvm" ? hardwareGroups(access.user) : []);
  const log = openSync(machine.qemuLog, "w", 0o600);
  const child = spawn(program, [...rest, QEMU, ...qemuArguments(config, machineUuid(machine), accelerator, open)], {
    cwd: machine.work,
    // A session of its own: neither our terminal's signals nor our end are its end.
    detached: true,
    stdio: ["ignore", "ignore", log, ...files.descriptors],
    env: childEnvironment(),
  });
  closeSync(log);
  child.unref();
  return await ready(child, config, machine, signal);
}

/** Waits until QEMU has made the machine: it greets then, or ends having said why. */
async function ready(
  child: ChildProcess,
  config: VmConfig,
  machine: MachinePaths,
  signal: AbortSignal | undefined,
): Promise<ProcessId> {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  child.on("error", (cause) => over.reject(qemuMissing(cause)));
  child.on("exit", (code, signal) =>
    over.reject(launchFailed(config, code ?? signal, readOptional(machine.qemuLog) ?? "")),
  );
  // By its pid from the start: unshare and setpriv become QEMU, they do not start it.
  const id = child.pid === undefined ? undefined : identify(child.pid);
  const patience = { timeout: LAUNCH_TIMEOUT, ...(signal === undefined ? {} : { signal }) };
  const greeted = QmpClient.open(machine.control, patience);
  greeted.catch(() => undefined);
  try {
    const client = await Promise.race([greeted, over.promise]);
    client[Symbol.dispose]();
    if (id === undefined) throw launchFailed(config, null, readOptional(machine.qemuLog) ?? "");
    return id;
  } catch (error) {
    if (id !== undefined) await endProcess(id, 0);
    // Its socket closes with it, which may be seen before its exit is.
    throw error instanceof YardError && error.code === "vm.ended"
      ? await over.promise.catch((reason) => reason)
      : error;
  }
}

/** @param code its exit status, or the signal that has ended it; null: neither is known */
function launchFailed(config: VmConfig, code: number | NodeJS.Signals | null, said: string): YardError {
  const lines = said.split("\n").filter((line) => line !== "" && !line.includes("warning:"));
  const text = lines.join("; ").replaceAll(`${QEMU}: `, "");
  if (code === 127 && lines.some((line) => line.includes(QEMU) && line.includes("No such file"))) return qemuMissing();
  const disk = /"node-name":"disk(\d+)"|Failed to get/.exec(text);
  if (/Failed to get .*lock|Is another process using/.test(text)) {
    const image = config.disks[Number(disk?.[1] ?? 0)];
    return imageError(image?.file ?? "of a disk", text);
  }
  if (/cannot set up guest memory|Cannot allocate memory/.test(text))
    return new YardError("vm.no-memory", `the host has not the ${config.memory} MiB of memory for ${config.name}`, {
      hint: "give it less, or end other machines",
    });
  if (text === "")
    return new YardError(
      "vm.start-failed",
      `QEMU of ${config.name} ended with ${code ?? "no status"} and said nothing`,
      {
        hint: "see whether something on this host ends it, such as the kernel when memory runs out (dmesg), and try again",
      },
    );
  return new YardError("vm.start-failed", `the virtual machine ${config.name} cannot be started: ${text}`, {
    hint: "correct what QEMU names",
  });
}

async function openAll(
  files: OpenFiles,
  config: VmConfig,
  machine: MachinePaths,
  access: Access,
  signal: AbortSignal | undefined,
): Promise<Descriptors> {
  const disks = [];
  for (const [index, disk] of config.disks.entries()) {
    const layers = await imageLayers(disk.persistent ? disk.file : overlayPath(machine, index), signal);
    disks.push(
      layers.map(({ file, format }, depth) => ({ format, descriptor: files.open(file, depth === 0 ? "r+" : "r") })),
    );
  }
  const isos = [...config.isos, ...(config.seed === undefined ? [] : [machine.seed])];
  const socket = (path: string) => files.add(listenUnix(path, { mode: 0o660, group: access.group }));
  const descriptors: Descriptors = {
    control: socket(machine.control),
    events: socket(machine.events),
    status: socket(machine.status),
    console: socket(machine.console),
    agent: config.guestAgent ? socket(machine.agent) : undefined,
    consoleLog: files.open(machine.consoleLog, "a"),
    disks,
    isos: isos.map((file) => files.open(file, "r")),
    kernel: config.kernel && bootFile(files, config.kernel.image, `${machine.work}/kernel`, access),
    initrd: config.kernel?.initrd && bootFile(files, config.kernel.initrd, `${machine.work}/initrd`, access),
    taps: new Map(config.nics.map((nic) => [nic.index, files.add(openNicTap(config, nic))])),
  };
  return descriptors;
}

/** @throws YardError `vm.tap-absent`, `vm.tap-in-use`, `namespace.missing`, `linux.call-failed` */
export function openNicTap(config: VmConfig, { index, tap, device }: VmNic): number {
  try {
    if (device === "macvtap") return openMacvtap(tap);
    return openTap(device === "host" ? "self" : tapNamespace(config), tap);
  } catch (error) {
    if (!(error instanceof YardError)) throw error;
    const about = `the nic ${index} of ${config.name}: ${error.message}`;
    if (error.code === "link.tap-absent") throw new YardError("vm.tap-absent", about, { cause: error });
    if (error.code === "link.tap-busy") throw new YardError("vm.tap-in-use", about, { cause: error });
    throw error;
  }
}

/**
 * A file that QEMU reads by its name. Where everybody may read the file it is that of our descriptor, whatever folders
 * it lies in; else it gets a copy.
 */
function bootFile(files: OpenFiles, file: string, copy: string, { user }: Access): string {
  const descriptor = files.open(file, "r");
  if ((statSync(file).mode & 0o004) !== 0) return `/proc/self/fd/${descriptor}`;
  copyFileSync(file, copy);
  chownSync(copy, user.uid, user.gid);
  chmodSync(copy, 0o400);
  return copy.slice(copy.lastIndexOf("/") + 1);
}

/** What a program is started with beyond its three streams; closed here when it has been. */
class OpenFiles implements Disposable {
  readonly descriptors: number[] = [];

  /** @returns the number that the program will know it by */
  add(descriptor: number): number {
    this.descriptors.push(descriptor);
    return this.descriptors.length + 2;
  }

  /** @throws YardError `vm.file-absent`, `vm.file-unreadable` */
  open(file: string, flags: "r" | "r+" | "a"): number {
    try {
      return this.add(openSync(file, flags, 0o600));
    } catch (cause) {
      const code = errnoOf(cause);
      if (code === "ENOENT" || code === "ENOTDIR")
        throw new YardError("vm.file-absent", `there is no file ${file}`, {
          cause,
          where: file,
          hint: "check the path",
        });
      throw new YardError("vm.file-unreadable", `${file} cannot be opened: ${code ?? String(cause)}`, {
        cause,
        where: file,
      });
    }
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.descriptors) closeSync(descriptor);
  }
}

/** QEMU processes of a machine, whoever started them; all processes of the host are looked at. */
export function processesOf(machine: MachinePaths): ProcessId[] {
  const uuid = machineUuid(machine);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = (readOptional(`/proc/${pid}/cmdline`) ?? "").split("\0");
      return words.includes(QEMU) && words.includes(uuid);
    })
    .flatMap((pid) => identify(Number(pid)) ?? []);
}

/** What is only true of a running machine. */
export function removeSockets(machine: MachinePaths): void {
  for (const path of [machine.control, machine.events, machine.status, machine.console, machine.agent])
    rmSync(path, { force: true });
}
