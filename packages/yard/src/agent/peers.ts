/**
 * How two yards of one host come together: each leaves word of its nodes of kind c2c in a folder that all see, and the
 * yard whose name comes first makes the link once both are there and mean each other.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type NamespaceRef, viewNamespace, watchFolder } from "@switchyard/linux";
import { z } from "zod";
import type { Rows } from "../store/rows.ts";

/** What follows the path of the folder of every yard's runtime files in that of the words. */
const SUFFIX = ".c2c";

const wordSchema = z.strictObject({
  /** The port that the node's end of the link shall be. */
  port: z.string(),
  /** The namespace of the yard's switch, HOST for the host's own. */
  namespace: z.string(),
  /** Bytes. */
  mtu: z.number().int(),
  /** Whom it means. */
  yard: z.string(),
  node: z.string(),
});
/** What a yard tells of a node of kind c2c. */
export type PeerWord = z.infer<typeof wordSchema>;

/** The folder, by that of a yard's runtime files. */
export function peersFolder(run: string): string {
  return `${dirname(run)}${SUFFIX}`;
}

/** The file of a node: no yard's name holds an `@`. */
export function wordFile(run: string, yard: string, node: string): string {
  return join(peersFolder(run), `${yard}@${node}.json`);
}

/** The files of a yard that are there. */
export function ownWords(run: string, yard: string): string[] {
  const folder = peersFolder(run);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => name.startsWith(`${yard}@`)).map((name) => join(folder, name));
}

/** What the other yards tell, by `<yard>@<node>`; what cannot be read is not told. */
function readWords(run: string): ReadonlyMap<string, PeerWord> {
  const folder = peersFolder(run);
  const words = new Map<string, PeerWord>();
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!name.endsWith(".json")) continue;
    try {
      const word = wordSchema.safeParse(JSON.parse(readFileSync(join(folder, name), "utf8")));
      if (word.success) words.set(name.slice(0, -".json".length), word.data);
    } catch {
      // It went, or is another's to put right.
    }
  }
  return words;
}

/** Calls `listener` when a yard has something new to tell. */
export function watchWords(run: string, listener: () => void): Disposable {
  const folder = peersFolder(run);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return watchFolder(folder, () => listener());
}

/** What a yard knows of others; nothing where it has no node that leads to one. */
export function peerFacts(
  rows: Rows,
  run: string,
  namespace: NamespaceRef,
): { readonly peers: ReadonlyMap<string, PeerWord>; readonly ownLinks: ReadonlySet<string> } {
  if (!rows.nodes.some(({ spec }) => spec.kind === "c2c")) return { peers: new Map(), ownLinks: new Set() };
  return { peers: readWords(run), ownLinks: new Set(viewNamespace(namespace).links.keys()) };
}
