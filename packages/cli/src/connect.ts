import { accessSync, constants } from "node:fs";
import { shellWords, YardError } from "@switchyard/base";
import { yardPaths } from "@switchyard/yard/paths";
import { openStore, type Store } from "@switchyard/yard/store";
import { isRoot, type Session } from "./session.ts";

/**
 * The store of a running yard, with its first snapshot complete. Reading needs root or membership of the group `yard`.
 *
 * @throws YardError `yard.not-running`, `yard.no-access`
 */
export async function openYard(session: Session, yard: string): Promise<Store> {
  const { databaseSocket } = yardPaths(yard, session.env);
  if (!yardRuns(session, yard)) throw notRunning(yard);
  try {
    return await openStore({ remote: `unix:${databaseSocket}`, signal: session.signal });
  } catch (error) {
    // The socket of a server that was killed is still there.
    if (error instanceof YardError && error.code === "ovsdb.connect-failed") throw notRunning(yard, error);
    throw error;
  }
}

/**
 * Whether a yard runs, as far as its database's socket tells.
 *
 * @throws YardError `yard.no-access` where the caller may not use it, and so cannot know
 */
export function yardRuns(session: Session, yard: string): boolean {
  const { databaseSocket } = yardPaths(yard, session.env);
  try {
    accessSync(databaseSocket, constants.R_OK | constants.W_OK);
    return true;
  } catch (cause) {
    // Its folder is closed to others, too, so that whether the socket is there is asked in this way only.
    if (!(cause instanceof Error && "code" in cause && cause.code === "EACCES")) return false;
    throw new YardError("yard.no-access", `you may not use the yard "${yard}"`, {
      cause,
      hint: `run the command with sudo, or join the group yard (its members are as good as root)`,
    });
  }
}

function notRunning(yard: string, cause?: Error): YardError {
  const named = yard === "main" ? [] : ["-y", yard];
  const command = `${isRoot() ? "" : "sudo "}${shellWords(["yard", ...named, "up"])}`;
  return new YardError("yard.not-running", `the yard "${yard}" is not running`, {
    hint: cause === undefined ? `bring a lab up: ${command}` : `its database has ended; start it again: ${command}`,
    cause,
  });
}
