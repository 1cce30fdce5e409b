import { mkdirSync } from "node:fs";
import { asYardError, YardError } from "@switchyard/base";

/** Makes a folder of a yard, and those above it. @throws YardError `yard.folder-failed` */
export function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (cause) {
    const why = asYardError(cause).message.replace(/, mkdir .*/, "");
    throw new YardError("yard.folder-failed", `the folder ${path} cannot be made: ${why}`, {
      cause,
      hint: "make room for it, or name others: SWITCHYARD_RUN_DIR, SWITCHYARD_STATE_DIR",
    });
  }
}
