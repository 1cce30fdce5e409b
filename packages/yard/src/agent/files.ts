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
  statSync,
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
  const { folders, links } = ofNodes(paths);
  const found = new Map<string, FileState>(links);
  const candidates = new Set(ownWords(paths.run, paths.yard));
  for (const path of wanted) if (!found.has(path)) candidates.add(path);
  for (const folder of [...foldersOfRun(paths), ...folders])
    for (const name of entries(folder)) candidates.add(join(folder, name));
  for (const path of candidates) {
    const state = readFile(path);
    if (state) found.set(path, state);
  }
  return found;
}

/** Folders in which every file is this yard's. */
export function ownFolders(paths: YardPaths): string[] {
  return [...foldersOfRun(paths), ...ofNodes(paths).folders];
}

/** Links of this yard's that stand for a folder. */
export function ownLinks(paths: YardPaths): string[] {
  return [...ofNodes(paths).links.keys()];
}

function foldersOfRun(paths: YardPaths): string[] {
  const networks = `${paths.run}${DNSMASQ_SUFFIX}`;
  const common = `${paths.run}${COMMON_SUFFIX}`;
  return [
    join(paths.run, "files"),
    `${paths.run}${DHCP_SUFFIX}`,
    ...entries(common).map((name) => join(common, name)),
    ...entries(networks).flatMap((name) => DNSMASQ_PARTS.map((part) => join(networks, name, part))),
  ];
}

/** What the nodes of a yard have in {@link NETNS_ETC}. */
interface OfNodes {
  readonly folders: readonly string[];
  readonly links: ReadonlyMap<string, FileState>;
}

const NOTHING: OfNodes = { folders: [], links: new Map() };

/** By the beginning of the names: the last reading, and the state of the folder that it is good for. */
const readings = new Map<string, { readonly inode: bigint; readonly changed: bigint; readonly found: OfNodes }>();

/** Nanoseconds in which a folder may change twice and tell of one time: a tick of the kernel's, and some more. */
const TICK = 50_000_000n;

/** A link cannot be given another target but by making it anew, which changes the time of the folder. */
function ofNodes({ namespace }: YardPaths): OfNodes {
  const now = BigInt(Date.now()) * 1_000_000n;
  const folder = statSync(NETNS_ETC, { bigint: true, throwIfNoEntry: false });
  if (folder === undefined) return NOTHING;
  const prefix = `${namespace}_`;
  const known = readings.get(prefix);
  if (known && known.inode === folder.ino && known.changed === folder.mtimeNs) return known.found;
  const own = readdirSync(NETNS_ETC, { withFileTypes: true }).filter(({ name }) => name.startsWith(prefix));
  const pathOf = ({ name }: { readonly name: string }) => join(NETNS_ETC, name);
  const found: OfNodes = {
    folders: own.filter((it) => it.isDirectory()).map(pathOf),
    links: new Map(
      own
        .filter((it) => it.isSymbolicLink())
        .map(pathOf)
        .map((path) => [path, { type: "symlink", target: readlinkSync(path), purpose: "" }]),
    ),
  };
  if (now - folder.mtimeNs > TICK) readings.set(prefix, { inode: folder.ino, changed: folder.mtimeNs, found });
  return found;
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
function removeEmpty(folder: string): void {
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
