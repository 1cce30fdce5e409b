/** Debian's packages as parts of tests: downloaded once into `~/.cache/switchyard-tests` and unpacked, not installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { run } from "@switchyard/base";

const CACHE = `${process.env.XDG_CACHE_HOME ?? `${homedir()}/.cache`}/switchyard-tests`;

/** A kernel of Debian's: the one for any machine, or the one that leaves out what clouds have not. */
export type KernelFlavour = "amd64" | "cloud-amd64";

export interface DebianKernel {
  /** What `uname -r` says under it. */
  readonly release: string;
  readonly image: string;
  /** Where its package is unpacked; its modules are below `lib/modules`. */
  readonly folder: string;
}

/**
 * The newest kernel of Debian 12.
 *
 * @param more packages to be unpacked beside it
 * @throws Error when it is not there and cannot be had
 */
export async function debianKernel(flavour: KernelFlavour, more: readonly string[] = []): Promise<DebianKernel> {
  mkdirSync(CACHE, { recursive: true });
  const name = await newestKernel(flavour);
  const folder = `${CACHE}/${name}`;
  if (!existsSync(folder)) await download([name, ...more], folder);
  const release = name.replace("linux-image-", "");
  return { release, image: `${folder}/boot/vmlinuz-${release}`, folder };
}

/** The folder in which packages of Debian's are unpacked together. @throws Error when they cannot be had */
export async function debianPackages(...names: readonly string[]): Promise<string> {
  const folder = `${CACHE}/${names.join("+")}`;
  mkdirSync(CACHE, { recursive: true });
  if (!existsSync(folder)) await download(names, folder);
  return folder;
}

/** The file of a module. @throws Error when the kernel has no such module */
export function modulePath({ folder, release }: DebianKernel, module: string): string {
  const modules = `${folder}/lib/modules/${release}/kernel`;
  const names = new Set([module, module.replaceAll("_", "-")].map((name) => `${name}.ko`));
  for (const path of new Bun.Glob("**/*.ko").scanSync(modules))
    if (names.has(path.replace(/^.*\//, ""))) return `${modules}/${path}`;
  throw new Error(`${release} has no module ${module}`);
}

/** What is in the cache will do; nothing is asked of the network then. */
async function newestKernel(flavour: KernelFlavour): Promise<string> {
  const pattern = new RegExp(`^linux-image-6\\.1\\.0-\\d+-${flavour}$`);
  const newest = (names: readonly string[]) =>
    names
      .filter((name) => pattern.test(name))
      .sort(byNumber)
      .at(-1);
  const cached = newest(readdirSync(CACHE));
  if (cached !== undefined) return cached;
  const known = newest((await run(["apt-cache", "pkgnames", "linux-image-6.1.0-"])).split("\n"));
  if (known === undefined) throw new Error(`no kernel for ${flavour} is known to apt; run apt-get update`);
  return known;
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

async function download(packages: readonly string[], target: string): Promise<void> {
  // Readable by apt's own user, who downloads.
  const folder = mkdtempSync("/tmp/sydebian-");
  try {
    await run(["apt-get", "-q", "download", ...packages], { cwd: folder, timeout: 120_000 });
    const draft = `${target}.${process.pid}`;
    for (const archive of readdirSync(folder))
      await run(["dpkg", "-x", `${folder}/${archive}`, draft], { timeout: 60_000 });
    renameSync(draft, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
