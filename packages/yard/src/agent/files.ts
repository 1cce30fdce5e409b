import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { COMMON_SUFFIX, DHCP_SUFFIX, DNSMASQ_SUFFIX, type YardPaths } from "./paths.ts";
import { ownWords } from "./peers.ts";
import type { FileState } from "./state.ts";

/** The folder in which `ip netns exec` looks for the files of a namespace, one folder each (ip-netns(8)). */
export const NETNS_ETC = "/etc/netns";

/** The folders in that of a network's dnsmasq. */
const DNSMASQ_PARTS = ["dhcp", "names"] as const;

/** The files of a yard that are there: those of `wanted`, and whatever else lies in the folders that are its own. */
export function readFiles(paths: YardPaths, wanted: Iterable<string>): Map<string, FileState> {
  const found = new Map<string, FileState>();
  for (const path of ownLinks(paths)) found.set(path, { type: "symlink", target: readlinkSync(path), purpose: "" });
  const candidates = new Set([...wanted, ...ownWords(paths.run, paths.yard)]);
  for (const folder of ownFolders(paths)) for (const name of entries(folder)) candidates.add(join(folder, name));
  for (const path of candidates) {
    if (found.has(path)) continue;
    const state = readFile(path);
    if (state) found.set(path, state);
  }
  return found;
}

/** Folders in which every file is this yard's. */
export function ownFolders(paths: YardPaths): string[] {
  const networks = `${paths.run}${DNSMASQ_SUFFIX}`;
  const common = `${paths.run}${COMMON_SUFFIX}`;
  return [
    join(paths.run, "files"),
    `${paths.run}${DHCP_SUFFIX}`,
    ...entries(common).map((name) => join(common, name)),
    ...ofNodes(paths, "folder"),
    ...entries(networks).flatMap((name) => DNSMASQ_PARTS.map((part) => join(networks, name, part))),
  ];
}

/** Links of this yard's that stand for a folder. */
export function ownLinks(paths: YardPaths): string[] {
  return ofNodes(paths, "link");
}

function ofNodes(paths: YardPaths, what: "folder" | "link"): string[] {
  if (!existsSync(NETNS_ETC)) return [];
  return readdirSync(NETNS_ETC, { withFileTypes: true })
    .filter((it) => (what === "folder" ? it.isDirectory() : it.isSymbolicLink()))
    .filter(({ name }) => name.startsWith(`${paths.namespace}_`))
    .map(({ name }) => join(NETNS_ETC, name));
}

/** A text that containers bind is written in place, as they hold its inode; anything else is replaced at once. */
export function writeFile(path: string, file: FileState): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const present = lstatSync(path, { throwIfNoEntry: false });
  switch (file.type) {
    case "text":
      if (present && !present.isFile()) rmSync(path, { recursive: true });
      if (file.bound) writeFileSync(path, file.text, { mode: 0o644 });
      else {
        writeFileSync(`${path}.new`, file.text, { mode: 0o644 });
        renameSync(`${path}.new`, path);
      }
      return;
    case "symlink":
      // Each change of a folder costs a disk's journal a while, and a large lab makes a thousand links.
      if (present === undefined) symlinkSync(file.target, path);
      else {
        rmSync(`${path}.new`, { force: true });
        symlinkSync(file.target, `${path}.new`);
        renameSync(`${path}.new`, path);
      }
  }
}

/** Removes a file, and its folder when that is empty now. */
export function deleteFile(path: string): void {
  rmSync(path, { force: true });
  removeEmpty(dirname(path));
}

/** Removes a folder of ours, and those above it that are ours, as far as they are empty. */
export function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
    const above = dirname(folder);
    if (above === NETNS_ETC || above.endsWith(COMMON_SUFFIX)) rmdirSync(above);
    if (!dirname(above).endsWith(DNSMASQ_SUFFIX)) return;
    if (!DNSMASQ_PARTS.some((part) => existsSync(join(above, part)))) rmSync(join(above, "leases"), { force: true });
    rmdirSync(above);
    rmdirSync(dirname(above));
  } catch {
    // Not empty, or gone already: both are as they should be.
  }
}

function readFile(path: string): FileState | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) return { type: "symlink", target: readlinkSync(path), purpose: "" };
  if (stat?.isFile()) return { type: "text", text: readFileSync(path, "utf8"), bound: false, purpose: "" };
  return undefined;
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
