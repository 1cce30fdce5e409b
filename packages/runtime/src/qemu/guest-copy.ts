/** Files into a guest and out of it: as an archive, which the guest's tar(1) unpacks and packs. */
import type { Readable } from "node:stream";
import { YardError } from "@switchyard/base";
import { baseName, hostPlace, packFrom, unpackAt } from "../files/copy.ts";
import { RootedFolder } from "../files/rooted.ts";

/** A way to have things done in a guest. */
export interface GuestShell {
  /** Runs a command to its end. */
  run(command: readonly string[], signal?: AbortSignal): Promise<{ readonly code: number; readonly said: string }>;
  /** Unpacks an archive in a folder of the guest's. @throws YardError `vm.copy-failed` */
  unpack(folder: string, archive: Readable, signal?: AbortSignal): Promise<void>;
  /** Hands the archive of what is called `name` in a folder of the guest's to `take`. @throws YardError `vm.copy-failed` */
  pack(folder: string, name: string, take: (archive: Readable) => Promise<void>, signal?: AbortSignal): Promise<void>;
}

/**
 * Copies a file or folder of the host into the guest, named as `docker cp` would name it.
 *
 * @throws YardError `runtime.path-absent`, `vm.copy-failed`, and those of the way
 */
export async function copyIntoGuest(
  guest: GuestShell,
  outside: string,
  inside: string,
  signal?: AbortSignal,
): Promise<void> {
  const clean = inside.length > 1 ? inside.replace(/\/+$/, "") : inside;
  const intoFolder = await isFolder(guest, clean, signal);
  const folder = intoFolder ? clean : clean.slice(0, clean.lastIndexOf("/")) || "/";
  if (!intoFolder && !(await isFolder(guest, folder, signal))) throw absent(folder);
  using root = new RootedFolder("/");
  const { path } = hostPlace(outside);
  const archive = packFrom(root, path, intoFolder ? baseName(path) : baseName(clean), signal);
  await guest.unpack(folder, archive, signal);
}

/** Copies a file or folder out of the guest. @throws YardError as {@link copyIntoGuest}, and `runtime.archive-bad` */
export async function copyOutOfGuest(
  guest: GuestShell,
  inside: string,
  outside: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = baseName(inside);
  const clean = inside.replace(/\/+$/, "");
  const folder = clean.slice(0, clean.lastIndexOf("/")) || "/";
  if ((await guest.run(["test", "-e", clean], signal)).code !== 0) throw absent(inside);
  await guest.pack(folder, name, (archive) => unpackAt(hostPlace(outside), name, archive, signal), signal);
}

/** Runs a command that must not fail. @throws YardError `vm.copy-failed` */
export async function must(guest: Pick<GuestShell, "run">, command: readonly string[], signal?: AbortSignal) {
  const { code, said } = await guest.run(command, signal);
  if (code !== 0) throw failed(`${command[0]} in the guest ended with exit code ${code}: ${said.trim()}`);
}

export function failed(message: string): YardError {
  return new YardError("vm.copy-failed", message);
}

async function isFolder(guest: GuestShell, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await guest.run(["test", "-d", path], signal)).code === 0;
}

function absent(path: string): YardError {
  return new YardError("runtime.path-absent", `there is no ${path} in the guest`);
}
