/** Whether KVM really runs machines here, found out by running one; /dev/kvm may be there and of no use. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { childEnvironment, tryRun, YardError } from "@switchyard/base";
import { bootId } from "@switchyard/linux";
import { readOptional, writeWhole } from "../oci/record.ts";
import { isRecord } from "./qmp.ts";
import type { Accelerator, VmUser } from "./types.ts";
import { unprivileged } from "./user.ts";

export const QEMU = "qemu-system-x86_64";
const KVM = "/dev/kvm";

/** Milliseconds that a translated boot of one sector may take: many times what it needs. */
const PATIENCE = 20_000;
/** The hardware must do it in the time of the translation, four times over, and this many milliseconds. */
const HEAD_START = 500;

/** What the sector writes to the port 0xf4, where `isa-debug-exit` ends QEMU with (value << 1) | 1. */
const VALUE = 0x10;
const EXIT_CODE = (VALUE << 1) | 1;

/** `mov al, 0x10; out 0xf4, al; hlt; jmp $-1`, and the mark of a boot sector: the firmware has run when it does. */
function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.set([0xb0, VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** The groups that QEMU needs for the hardware's help: that of /dev/kvm, where it is not open to all (udev's rule). */
export function hardwareGroups(user: VmUser): number[] {
  const stat = statSync(KVM, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o006) === 0o006 || stat.gid === 0 || stat.gid === user.gid) return [];
  return (stat.mode & 0o060) === 0o060 ? [stat.gid] : [];
}

/**
 * What machines run by on this host, found out once a boot and kept in `cache`.
 *
 * @throws YardError `vm.qemu-missing`, `vm.probe-failed`
 */
export async function probeAccelerator(cache: string, user: VmUser): Promise<Accelerator> {
  const key = `${bootId()} ${user.uid}:${user.gid}`;
  const known = readCache(cache, key);
  if (known !== undefined) return known;
  const found = await tryKvm(cache, user);
  writeWhole(cache, JSON.stringify({ key, ...found }));
  return found;
}

function readCache(cache: string, key: string): Accelerator | undefined {
  const value: unknown = JSON.parse(readOptional(cache) ?? "null");
  if (!isRecord(value) || value.key !== key || typeof value.reason !== "string") return undefined;
  return value.name === "kvm" || value.name === "tcg" ? { name: value.name, reason: value.reason } : undefined;
}

async function tryKvm(cache: string, user: VmUser): Promise<Accelerator> {
  const translated = (reason: string): Accelerator => ({ name: "tcg", reason });
  const folder = cache.slice(0, cache.lastIndexOf("/"));
  mkdirSync(folder, { recursive: true });
  const sector = openSector(folder);
  try {
    const yardstick = await boot("tcg", sector, user, PATIENCE);
    if (yardstick.code !== EXIT_CODE)
      throw new YardError("vm.probe-failed", `QEMU does not run a machine here: ${yardstick.said}`, {
        hint: `run ${QEMU} by hand`,
      });
    if (statSync(KVM, { throwIfNoEntry: false }) === undefined)
      return translated(`there is no ${KVM}: the processor's virtualization is off, or kept from this host`);
    const limit = Math.ceil(yardstick.took * 4 + HEAD_START);
    const attempt = await boot("kvm", sector, user, limit);
    if (attempt.code === EXIT_CODE) return { name: "kvm", reason: "" };
    if (attempt.code === undefined)
      return translated(
        `a machine under KVM had not booted one sector after ${limit} ms; translated it took ${Math.round(yardstick.took)}`,
      );
    return translated(/Could not access KVM[^\n]*/.exec(attempt.said)?.[0] ?? attempt.said);
  } finally {
    closeSync(sector);
  }
}

/** A file without a name, so that nobody who is killed leaves it behind. */
function openSector(folder: string): number {
  const path = `${folder}/boot-sector.${randomUUID()}`;
  writeFileSync(path, bootSector(), { mode: 0o600 });
  try {
    return openSync(path, "r");
  } finally {
    rmSync(path);
  }
}

interface Attempt {
  /** undefined: it was ended because its time was over. */
  readonly code: number | undefined;
  readonly said: string;
  /** Milliseconds. */
  readonly took: number;
}

function boot(accelerator: Accelerator["name"], sector: number, user: VmUser, limit: number): Promise<Attempt> {
  const [program, ...rest] = unprivileged(user, hardwareGroups(user));
  return new Promise<Attempt>((resolve, reject) => {
    const began = performance.now();
    const child = spawn(
      program,
      [
        ...rest,
        ...[QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-m", "16"],
        ...["-machine", `pc,accel=${accelerator}`, "-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
        ...["-add-fd", "fd=3,set=1", "-drive", "file=/dev/fdset/1,format=raw,if=floppy,readonly=on"],
      ],
      { stdio: ["ignore", "ignore", "pipe", sector], env: childEnvironment() },
    );
    let late = false;
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
    });
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(qemuMissing(cause));
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 127) reject(qemuMissing());
      else resolve({ code: late ? undefined : (code ?? -1), said: lastLine(said), took: performance.now() - began });
    });
  });
}

/** QEMU tells the cause first, and its consequence last. */
function lastLine(said: string): string {
  return said
    .trim()
    .split("\n")
    .filter((line) => !line.includes("warning:"))
    .join("; ")
    .replaceAll(`${QEMU}: `, "");
}

export function qemuMissing(cause?: unknown): YardError {
  return new YardError("vm.qemu-missing", `virtual machines need ${QEMU} and qemu-img`, {
    hint: "apt-get install --no-install-recommends qemu-system-x86 qemu-utils",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** QEMU's version text. @throws YardError `vm.qemu-missing` */
export async function qemuVersion(signal?: AbortSignal): Promise<string> {
  const options = signal === undefined ? {} : { signal };
  const [qemu, image] = await Promise.all(
    [QEMU, "qemu-img"].map((program) =>
      tryRun([program, "--version"], options).catch((error: unknown) => {
        throw error instanceof YardError && error.code === "command.not-found" ? qemuMissing(error) : error;
      }),
    ),
  );
  if (qemu?.code !== 0 || image?.code !== 0) throw qemuMissing();
  return qemu.stdout.split("\n")[0] ?? "";
}
