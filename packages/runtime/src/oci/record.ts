import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { errnoOf } from "@switchyard/base";
import { bootId, isAlive, type ProcessId } from "@switchyard/linux";
import type { ContainerState } from "../types.ts";
import { bundleOf, type OciPaths } from "./paths.ts";

/** What a container is, as written beside its bundle. */
export interface ContainerRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Writes a file so that readers see the old content or the new one, and watchers see one rename. */
export function writeWhole(path: string, content: string): void {
  const cut = path.lastIndexOf("/");
  const draft = `${path.slice(0, cut)}/.${path.slice(cut + 1)}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600 });
  renameSync(draft, path);
}

/** A file's text, undefined when there is no such file; a file of /proc whose process ends meanwhile is none. */
export function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ESRCH"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** @returns undefined when there is no container of that name */
export function readRecord(paths: OciPaths, name: string): ContainerRecord | undefined {
  const text = readOptional(bundleOf(`${paths.containers}/${name}`).record);
  return text === undefined ? undefined : parseRecord(text);
}

/** Names of all containers; half-made folders begin with a dot and are none. */
export function containerNames(paths: OciPaths): string[] {
  try {
    return readdirSync(paths.containers).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

function parseRecord(text: string): ContainerRecord | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("name" in value) || !("labels" in value)) return undefined;
  const { name, labels } = value;
  if (typeof name !== "string" || typeof labels !== "object" || labels === null) return undefined;
  const pairs = Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return { name, labels: Object.fromEntries(pairs) };
}

/** Notes that the container's first process runs: from now on it is known by pid, start time and boot. */
export function writeLive(paths: OciPaths, name: string, id: ProcessId): void {
  mkdirSync(paths.live, { recursive: true });
  writeWhole(`${paths.live}/${name}`, JSON.stringify({ pid: id.pid, startTime: String(id.startTime), boot: bootId() }));
}

/** The container's first process as noted, if it was of this boot; it may have ended since. */
export function readLive(paths: OciPaths, name: string): ProcessId | undefined {
  const text = readOptional(`${paths.live}/${name}`);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return undefined;
  if (!("pid" in value && "startTime" in value && "boot" in value)) return undefined;
  const { pid, startTime, boot } = value;
  if (typeof pid !== "number" || typeof startTime !== "string" || boot !== bootId()) return undefined;
  return { pid, startTime: BigInt(startTime) };
}

/** The exit code that conmon noted. */
export function readExit(paths: OciPaths, name: string): number | undefined {
  const text = readOptional(`${paths.exits}/${name}`);
  return text === undefined || !/^-?\d+/.test(text) ? undefined : Number.parseInt(text, 10);
}

/** The state of a container, from what is noted and from whether its process lives; undefined: there is none. */
export function stateOf(paths: OciPaths, name: string): ContainerState | undefined {
  const record = readRecord(paths, name);
  if (record === undefined) return undefined;
  const live = readLive(paths, name);
  const running = live !== undefined && isAlive(live);
  const exit = running ? undefined : readExit(paths, name);
  return {
    name,
    id: name,
    labels: record.labels,
    status: running ? "running" : live !== undefined || exit !== undefined ? "exited" : "created",
    pid: running ? live.pid : undefined,
    exitCode: exit,
  };
}
