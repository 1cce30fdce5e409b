/** The calls of libc that node:fs does not have. Nothing is loaded before the first of them. */
import { dlopen, ptr, read } from "bun:ffi";
import { constants } from "node:os";

/** The same number on every architecture. */
const SYS_openat2 = 437n;

function load() {
  const { symbols } = dlopen("libc.so.6", {
    syscall: { args: ["i64", "i64", "ptr", "ptr", "u64"], returns: "i64" },
    mount: { args: ["ptr", "ptr", "ptr", "u64", "ptr"], returns: "i32" },
    umount2: { args: ["ptr", "i32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
  return symbols;
}
let loaded: ReturnType<typeof load> | undefined;

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A failed call, as `node:fs` reports its own: `code` is the name of the errno. */
export class FileError extends Error {
  readonly code: string;
  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.name = "FileError";
    this.code = code;
  }
}

function failed(path: string): FileError {
  loaded ??= load();
  const location = loaded.__errno_location();
  return new FileError((location === null ? undefined : errnoNames.get(read.i32(location, 0))) ?? "EIO", path);
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** openat2(2). @returns the descriptor @throws FileError */
export function openat2(folder: number, path: string, how: { flags: number; mode: number; resolve: bigint }): number {
  loaded ??= load();
  const struct = new BigUint64Array([BigInt(how.flags), BigInt(how.mode), how.resolve]);
  const name = cstring(path);
  const fd = Number(loaded.syscall(SYS_openat2, BigInt(folder), ptr(name), ptr(struct), 24n));
  if (fd < 0) throw failed(path);
  return fd;
}

/** mount(2) of a file system that is no device. @throws FileError */
export function mount(type: string, target: string, data: string): void {
  loaded ??= load();
  const [kind, where, options] = [cstring(type), cstring(target), cstring(data)];
  if (loaded.mount(ptr(kind), ptr(where), ptr(kind), 0n, ptr(options)) !== 0) throw failed(target);
}

/** umount2(2), lazily (MNT_DETACH): a process that is just ending may still hold it. @throws FileError */
export function unmount(target: string): void {
  loaded ??= load();
  const where = cstring(target);
  if (loaded.umount2(ptr(where), 2) !== 0) throw failed(target);
}
