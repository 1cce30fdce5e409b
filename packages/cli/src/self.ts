import { fileURLToPath } from "node:url";

/**
 * The argument vector that runs this program once more: the executable itself when it is the compiled one, else the
 * runtime with the source file. For the agent, which outlives the command that starts it.
 */
export function selfCommand(): [string, ...string[]] {
  return isCompiled() ? [process.execPath] : [process.execPath, fileURLToPath(new URL("./main.ts", import.meta.url))];
}

/** Whether this is the compiled executable: its main module then lies in Bun's own file system. */
export function isCompiled(): boolean {
  return Bun.main.startsWith("/$bunfs/");
}
