import { fileURLToPath } from "node:url";

const built = process.env.SWITCHYARD_TEST_EXECUTABLE;

/**
 * The command `yard` of tests: what was built, where the runner of tests has had it built, which starts in a fraction of
 * the time; else the sources, which need no building.
 */
export const YARD_COMMAND: readonly [string, ...string[]] =
  built === undefined || built === ""
    ? [process.execPath, fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))]
    : [built];
