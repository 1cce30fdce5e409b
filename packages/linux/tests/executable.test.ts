import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";

const room = new URL("../src/mod.ts", import.meta.url).pathname;

test("a single executable watches a process end, though its thread has no file of its own", async () => {
  const folder = mkdtempSync("/tmp/tlinux-compile-");
  try {
    writeFileSync(
      `${folder}/main.ts`,
      `import { spawn } from "node:child_process";
import { endProcess, identify, watchExit } from ${JSON.stringify(room)};
const id = identify(spawn("sleep", ["60"]).pid ?? 0);
if (id === undefined) throw new Error("no process");
const seen = new Promise((resolve) => watchExit(id, () => resolve(undefined)));
await endProcess(id, 1000);
await seen;
// The thread still sleeps; it must not keep the process.
console.log("seen");
`,
    );
    const options = ["--compile", "--minify", "--no-compile-autoload-bunfig", "--no-compile-autoload-dotenv"];
    await run([process.execPath, "build", ...options, `${folder}/main.ts`, "--outfile", `${folder}/main`], {
      timeout: 60_000,
    });
    expect(await run([`${folder}/main`])).toBe("seen\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
