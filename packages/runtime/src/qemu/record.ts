import { mkdirSync, readdirSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { bootId, isAlive, type ProcessId } from "@switchyard/linux";
import { readOptional, writeWhole } from "../oci/record.ts";
import { machinePaths, type VmPaths } from "./paths.ts";
import { isRecord } from "./qmp.ts";
import type { Accelerator, VmConfig, VmState } from "./types.ts";

/** Notes what a machine is; its nics are those plugged in. */
export function writeConfig(paths: VmPaths, config: VmConfig): void {
  writeWhole(machinePaths(paths, config.name).record, JSON.stringify(config));
}

/** What a machine is; undefined: there is none of that name. */
export function readConfig(paths: VmPaths, name: string): VmConfig | undefined {
  const text = readOptional(machinePaths(paths, name).record);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return isConfig(value) ? value : undefined;
}

/** It is our own writing, replaced whole: what is looked at is whether it is that at all. */
function isConfig(value: unknown): value is VmConfig {
  if (!isRecord(value) || typeof value.name !== "string" || typeof value.memory !== "number") return false;
  return Array.isArray(value.disks) && Array.isArray(value.nics) && Array.isArray(value.isos) && isRecord(value.labels);
}

/** Names of all machines, in order; half-made folders begin with a dot and are none. */
export function machineNames(paths: VmPaths): string[] {
  try {
    return readdirSync(paths.machines)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch {
    return [];
  }
}

/** A QEMU process of ours. */
export interface Live {
  readonly process: ProcessId;
  readonly accelerator: Accelerator;
}

export function writeLive(paths: VmPaths, name: string, { process, accelerator }: Live): void {
  mkdirSync(paths.live, { recursive: true, mode: 0o700 });
  const { pid, startTime } = process;
  writeWhole(
    `${paths.live}/${name}`,
    JSON.stringify({ pid, startTime: String(startTime), boot: bootId(), accelerator }),
  );
}

/** The process as noted, if it was of this boot; it may have ended since. */
export function readLive(paths: VmPaths, name: string): Live | undefined {
  const value: unknown = JSON.parse(readOptional(`${paths.live}/${name}`) ?? "null");
  if (!isRecord(value) || value.boot !== bootId()) return undefined;
  const { pid, startTime, accelerator } = value;
  if (typeof pid !== "number" || typeof startTime !== "string" || !isRecord(accelerator)) return undefined;
  const { name: kind, reason } = accelerator;
  if ((kind !== "kvm" && kind !== "tcg") || typeof reason !== "string") return undefined;
  return { process: { pid, startTime: BigInt(startTime) }, accelerator: { name: kind, reason } };
}

/** The running process of a machine. */
export function readRunning(paths: VmPaths, name: string): Live | undefined {
  const live = readLive(paths, name);
  return live !== undefined && isAlive(live.process) ? live : undefined;
}

/** Notes why a machine is about to end, for whoever looks when it has. */
export function writeReason(paths: VmPaths, name: string, reason: string): void {
  mkdirSync(paths.ended, { recursive: true, mode: 0o700 });
  writeWhole(`${paths.ended}/${name}`, reason);
}

export function readReason(paths: VmPaths, name: string): string | undefined {
  return readOptional(`${paths.ended}/${name}`);
}

/** The state of a machine but for whether it is paused, which only QEMU knows; undefined: there is none. */
export function stateOf(paths: VmPaths, name: string): VmState | undefined {
  const config = readConfig(paths, name);
  if (config === undefined) return undefined;
  const live = readLive(paths, name);
  const running = live !== undefined && isAlive(live.process);
  const reason = running ? undefined : readReason(paths, name);
  return {
    name,
    status: running ? "running" : live !== undefined || reason !== undefined ? "exited" : "created",
    pid: running ? live.process.pid : undefined,
    accelerator: running ? live.accelerator : undefined,
    reason,
    nics: config.nics,
    labels: config.labels,
  };
}

export function noSuchMachine(name: string): YardError {
  return new YardError("vm.not-found", `there is no virtual machine ${name}`);
}
