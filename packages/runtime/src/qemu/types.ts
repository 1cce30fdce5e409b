import type { Logger, Mac } from "@switchyard/base";
import type { ExecOptions, ExecStreams } from "../types.ts";

/** Where virtual machines are kept, and as whom they run. */
export interface VmEngineOptions {
  /** Ours; survives a reboot: overlays, console logs. */
  readonly stateDir: string;
  /** Ours; what is in it is only true of this boot: sockets, pids. */
  readonly runDir: string;
  readonly log: Logger;
  /** Whom QEMU runs as; {@link vmUser} without it. */
  readonly user?: VmUser;
  /** The group that may use the sockets (consoles, QMP) beside root; only root without it. */
  readonly group?: number;
}

/** A user without rights, by numbers. */
export interface VmUser {
  readonly uid: number;
  readonly gid: number;
}

/** How a virtual machine's processors are run: by the hardware, or translated by QEMU, some ten times slower. */
export interface Accelerator {
  readonly name: "kvm" | "tcg";
  /** Why it is not KVM; empty when it is. */
  readonly reason: string;
}

/** What virtual machines can be had here. */
export interface VmHost {
  /** QEMU's version text. */
  readonly version: string;
  readonly accelerator: Accelerator;
}

/** An image as a disk of the machine: `vda` is the first. */
export interface VmDisk {
  /** Absolute path. */
  readonly file: string;
  readonly format: "qcow2" | "raw";
  /** Whether the machine writes into the image itself; otherwise what it writes is kept apart and goes with it. */
  readonly persistent: boolean;
}

/** A nic of the machine, joined to a tap device that is there already. */
export interface VmNic {
  /** Fixes its PCI slot: nic n is in slot n + 5, beyond the 21st on bridges. */
  readonly index: number;
  /** Name of the persistent tap device in the machine's namespace, or of a device as `device` says. */
  readonly tap: string;
  /** `host`: a tap device in the caller's own namespace; `macvtap`: a macvtap there. */
  readonly device?: "host" | "macvtap";
  readonly mac: Mac;
  /** Whether checksums and segmentation are left to whoever takes the packets; a switch must know how to do that. */
  readonly offloads: boolean;
  /** Bytes that the guest is told its packets may have; 1500 where nothing is said. */
  readonly mtu?: number;
}

/** What cloud-init is told by its NoCloud data source; each is a file's text. */
export interface VmSeed {
  readonly metaData: string;
  readonly userData: string;
  readonly networkConfig?: string;
}

/** A kernel booted directly, without boot loader. */
export interface VmKernel {
  readonly image: string;
  readonly initrd?: string;
  /** Its command line. */
  readonly append?: string;
}

/** A virtual machine as Switchyard makes it. */
export interface VmConfig {
  /** `<yard>_<node>`. */
  readonly name: string;
  /** MiB. */
  readonly memory: number;
  readonly cpus: number;
  /** At most 8. */
  readonly disks: readonly VmDisk[];
  readonly kernel?: VmKernel;
  /** Optical media, beside the seed; three in all with it. Booted from when there is neither disk nor kernel. */
  readonly isos: readonly string[];
  readonly seed?: VmSeed;
  readonly nics: readonly VmNic[];
  /** How many nics it may come to have while it runs; what `nics` needs without it. More than 21 need PCI bridges. */
  readonly mostNics?: number;
  /** The network namespace in which its tap devices are; our own without it. */
  readonly namespace?: string;
  /** Whether it has a channel to a guest agent. */
  readonly guestAgent: boolean;
  /** Whether a reboot by the guest ends it. */
  readonly rebootEnds?: boolean;
  /** Among them the owner's mark and the fingerprint. */
  readonly labels: Readonly<Record<string, string>>;
}

export type VmStatus = "created" | "running" | "paused" | "exited";

/** A virtual machine of ours as it is. */
export interface VmState {
  readonly name: string;
  readonly status: VmStatus;
  /** Of QEMU, while it runs. */
  readonly pid: number | undefined;
  /** What it runs by; undefined when it does not run. */
  readonly accelerator: Accelerator | undefined;
  /** Why it ended, in QEMU's word (`guest-shutdown`, `guest-reset`, `host-qmp-quit`, …); undefined: not known, killed. */
  readonly reason: string | undefined;
  /** Those plugged in. */
  readonly nics: readonly VmNic[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface VmEvent {
  readonly name: string;
  readonly what: "started" | "paused" | "resumed" | "reset" | "exited" | "removed";
  /** As of {@link VmState}, of an exit. */
  readonly reason?: string;
}

/** A state of memory and disks that can be returned to. */
export interface VmSnapshot {
  readonly tag: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Bytes of memory in it; 0 when it was taken of a machine that did not run. */
  readonly memory: number;
}

/** How to look at a console. */
export interface ConsoleOptions {
  /** Bytes of earlier output to show first; 0 without it. */
  readonly history?: number;
  /** The key that leaves, as the byte that it sends: 0x1d is Ctrl-]. Without it only the signal does. */
  readonly leave?: number;
  readonly signal?: AbortSignal;
}

/** Virtual machines by QEMU. Every method may be repeated; what is already so is no error. */
export interface VmExecOptions extends ExecOptions {
  /** By the console also where there may be an agent. */
  readonly onConsole?: boolean;
}

/** Told after each piece: how many bytes of how many have come through. */
export type CopyProgress = (done: number, total: number) => void;

/** A file or folder to be copied by the console; `into` false copies out of the guest. */
export interface ConsoleCopy {
  readonly inside: string;
  readonly outside: string;
  readonly into: boolean;
  readonly progress?: CopyProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface VmEngine extends AsyncDisposable {
  readonly kind: "qemu";
  /** @throws YardError `vm.qemu-missing` */
  probe(signal?: AbortSignal): Promise<VmHost>;
  /** Every machine that carries all these labels. */
  list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<VmState[]>;
  /** Checks the images and makes overlays; nothing runs yet. */
  create(config: VmConfig, signal?: AbortSignal): Promise<void>;
  start(name: string, signal?: AbortSignal): Promise<VmState>;
  /** Presses the power button; what still runs after `grace` milliseconds (0: at once) is switched off. */
  stop(name: string, grace: number, signal?: AbortSignal): Promise<void>;
  /** Stops it, and deletes what was kept of it; never an image of the user's. */
  remove(name: string, grace: number, signal?: AbortSignal): Promise<void>;
  pause(name: string, signal?: AbortSignal): Promise<void>;
  resume(name: string, signal?: AbortSignal): Promise<void>;
  /** As the reset button does. */
  reset(name: string, signal?: AbortSignal): Promise<void>;
  /** Plugs a nic in, also while it runs. */
  attachNic(name: string, nic: VmNic, signal?: AbortSignal): Promise<void>;
  /** Has the guest give a nic back, and unplugs it. @throws YardError `vm.unplug-refused` when it does not in time */
  detachNic(name: string, index: number, signal?: AbortSignal): Promise<void>;
  /**
   * Joins the serial console to the caller's streams, until he leaves or the machine ends. Any number may be at it:
   * all see what it says, and each may type.
   */
  console(name: string, options: ConsoleOptions, streams: ExecStreams): Promise<"left" | "ended">;
  /**
   * What the serial console has said since the machine was made, or its last `tail` lines, and with `follow` what it
   * says until the machine ends or the signal aborts.
   */
  logs(
    name: string,
    options: { readonly follow: boolean; readonly tail?: number; readonly signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void>;
  /** Copies a file or folder by the guest agent; `into` false copies out of the guest. @throws YardError `vm.agent-absent` */
  copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void>;
  /** The same by the shell at the serial console. @throws YardError `vm.console-no-shell`, `vm.copy-too-large` */
  copyOnConsole(name: string, copy: ConsoleCopy): Promise<void>;
  /** Whether its guest agent answers, within 750 ms. */
  answers(name: string): Promise<boolean>;
  /**
   * Runs a command by the guest agent; where the machine has no channel to one, by the shell that sits at its serial console.
   *
   * @returns its exit code
   * @throws YardError `vm.agent-absent`, `vm.console-no-shell`
   */
  exec(name: string, options: VmExecOptions, streams: ExecStreams): Promise<number>;
  snapshots(name: string, signal?: AbortSignal): Promise<VmSnapshot[]>;
  /** Of memory and disks when it runs, else of the disks. */
  takeSnapshot(name: string, tag: string, signal?: AbortSignal): Promise<void>;
  revert(name: string, tag: string, signal?: AbortSignal): Promise<void>;
  deleteSnapshot(name: string, tag: string, signal?: AbortSignal): Promise<void>;
  /** Copies the first disk, as it is now and whole, to a new qcow2 file; the machine goes on. */
  save(name: string, file: string, signal?: AbortSignal): Promise<void>;
  /** Events of machines that carry these labels, until aborted. */
  watch(labels: Readonly<Record<string, string>>, listener: (event: VmEvent) => void, signal: AbortSignal): void;
}
