import { createHash } from "node:crypto";

/** Where virtual machines are kept: what survives a reboot in the state folder, sockets and pids in the run folder. */
export interface VmPaths {
  /** One folder a machine. */
  readonly machines: string;
  readonly sockets: string;
  /** `<name>` when its QEMU runs. */
  readonly live: string;
  /** `<name>` when it has ended and the reason is known. */
  readonly ended: string;
  /** What was found out of this host since it booted. */
  readonly accelerator: string;
}

export function vmPaths(options: { stateDir: string; runDir: string }): VmPaths {
  return {
    machines: `${options.stateDir}/vm`,
    sockets: `${options.runDir}/vm/sockets`,
    live: `${options.runDir}/vm/live`,
    ended: `${options.runDir}/vm/ended`,
    accelerator: `${options.runDir}/vm/accelerator.json`,
  };
}

/** The parts of a machine's folder, and its sockets. */
export interface MachinePaths {
  readonly folder: string;
  /** What it is. */
  readonly record: string;
  /** All that the serial console has said. */
  readonly consoleLog: string;
  /** What QEMU had to say of itself. */
  readonly qemuLog: string;
  readonly seed: string;
  /** QEMU's own folder, the only place where it may write a file. */
  readonly work: string;
  /** QMP for commands: whoever has one connects, and leaves. */
  readonly control: string;
  /** QMP for events: one watcher stays. */
  readonly events: string;
  /** QMP for looking only: open also while a long command is at work. */
  readonly status: string;
  readonly console: string;
  readonly agent: string;
}

/** A socket's path has at most 107 bytes, a machine's name up to 128. */
const LONGEST = 32;

export function machinePaths(paths: VmPaths, name: string): MachinePaths {
  const folder = `${paths.machines}/${name}`;
  const short =
    name.length <= LONGEST
      ? name
      : `${name.slice(0, 20)}~${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
  return {
    folder,
    record: `${folder}/vm.json`,
    consoleLog: `${folder}/console.log`,
    qemuLog: `${folder}/qemu.log`,
    seed: `${folder}/seed.iso`,
    work: `${folder}/work`,
    control: `${paths.sockets}/${short}.qmp`,
    events: `${paths.sockets}/${short}.events`,
    status: `${paths.sockets}/${short}.status`,
    console: `${paths.sockets}/${short}.console`,
    agent: `${paths.sockets}/${short}.agent`,
  };
}

/** The overlay that holds what a machine has written to a disk that is not persistent. */
export function overlayPath(machine: MachinePaths, disk: number): string {
  return `${machine.folder}/disk${disk}.qcow2`;
}

/** The same for a machine in all its lives, another for each: the guest sees it, and its process is known by it. */
export function machineUuid(machine: MachinePaths): string {
  const hex = createHash("sha256").update(machine.folder).digest("hex");
  // The bits that make it a UUID of version 8, of one's own making (RFC 9562, 5.8).
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
