import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { temporaryFolder } from "@switchyard/testing";
import { runJob } from "./job.ts";

/** Runs one test file of the given text as the runner would. */
async function runFile(text: string, limit = 20) {
  await using folder = await temporaryFolder("syrun-");
  mkdirSync(`${folder.path}/dist/tests`, { recursive: true });
  writeFileSync(`${folder.path}/a.test.ts`, `import { test, expect } from "bun:test";\n${text}\n`);
  return await runJob(
    { title: "a.test.ts", room: "none", files: ["a.test.ts"], alone: false, limit },
    folder.path,
    process.execPath,
  );
}

describe("one test file", () => {
  test("counts what passed and what failed", async () => {
    const result = await runFile('test("a", () => {}); test("b", () => {}); test("c", () => { expect(1).toBe(2); });');
    expect(result.files.map(({ passed, failed }) => ({ passed, failed }))).toEqual([{ passed: 2, failed: 1 }]);
    expect(result.problems).toEqual([]);
    expect(result.output).toContain("expect(received).toBe(expected)");
  });

  test("fails when it ends before its tests do", async () => {
    const result = await runFile('test("a", () => { process.exit(3); });');
    expect(result.problems).toContain("ended with exit code 3");
  });

  test("fails when it throws before it has declared a test", async () => {
    const result = await runFile('throw new Error("not even begun");');
    expect(result.files.reduce((sum, { failed }) => sum + failed, 0) + result.problems.length).toBeGreaterThan(0);
    expect(result.output).toContain("not even begun");
  });

  test("fails when it does not end in its time", async () => {
    const result = await runFile('test("a", async () => { await new Promise(() => setInterval(() => {}, 100)); });', 1);
    expect(result.problems).toContain("did not end within 1 s");
  });

  test("fails when it leaves a process behind, which is named and ended", async () => {
    const result = await runFile(`import { spawn } from "node:child_process";
      test("a", () => { spawn("sleep", ["1234"], { detached: true, stdio: "ignore" }).unref(); });`);
    const [problem] = result.problems;
    expect(problem).toMatch(/^left behind the process \d+: sleep 1234$/);
    const pid = Number(/\d+/.exec(problem ?? "")?.[0]);
    while (isRunning(pid)) await Bun.sleep(5);
  });

  test("tells why tests were skipped", async () => {
    const result = await runFile(
      'process.stderr.write("skipped here: needs the moon\\n"); test.skip("a", () => {}); test("b", () => {});',
    );
    expect(result.skipReasons).toEqual(["skipped here: needs the moon"]);
    expect(result.files[0]?.skipped).toBe(1);
    expect(result.problems.length).toBe(process.env.CI === "true" ? 1 : 0);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
