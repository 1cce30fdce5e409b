import { accessSync, constants, existsSync } from "node:fs";
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
  checkAccess(yard, databaseSocket);
  return openStore({ remote: `unix:${databaseSocket}`, signal: session.signal });
}

function checkAccess(yard: string, socket: string): void {
  const named = yard === "main" ? [] : ["-y", yard];
  if (!existsSync(socket))
    throw new YardError("yard.not-running", `the yard "${yard}" is not running`, {
      hint: `bring a lab up: ${isRoot() ? "" : "sudo "}${shellWords(["yard", ...named, "up"])}`,
    });
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new YardError("yard.no-access", `you may not use ${socket}`, {
      cause,
      hint: `run the command with sudo, or join the group yard (its members are as good as root)`,
    });
  }
}
