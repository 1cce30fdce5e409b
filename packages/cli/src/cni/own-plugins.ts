import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPlugins } from "@switchyard/doors/cni";
import { isCompiled } from "../self.ts";

/** Where runtimes look for plugins if nobody tells them otherwise. */
export const FOLDER = "/opt/cni/bin";
/** And where Debian has those of others. */
export const FOLDERS = `${FOLDER}:/usr/lib/cni`;

/** Does something with a folder in which our plugin is under its names: it is found even before it is installed. */
export async function withOwnPlugins<R>(work: (folder: string) => Promise<R>): Promise<R> {
  const own = mkdtempSync(join(tmpdir(), "yard-cni-"));
  try {
    if (isCompiled()) installPlugins(own, { executable: process.execPath });
    return await work(own);
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** The id of a container that is nothing but its namespace. */
export function tryId(netns: string): string {
  return `try-${netns.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-/, "")}`;
}
