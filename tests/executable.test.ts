import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { temporaryFolder } from "@switchyard/testing";

const yard = new URL("../dist/yard", import.meta.url).pathname;
const { version }: { version: string } = await Bun.file(
  new URL("../packages/cli/package.json", import.meta.url),
).json();

describe("the executable", () => {
  test("needs nothing beside itself", async () => {
    await using folder = await temporaryFolder("syexe-");
    copyFileSync(yard, `${folder.path}/yard`);
    const said = await run([`${folder.path}/yard`, "--version"], { cwd: folder.path, env: {} });
    expect(said.trim()).toBe(version);
  });

  test("runs no code and reads no options that lie in the caller's folder", async () => {
    await using folder = await temporaryFolder("syexe-");
    const at = (name: string) => `${folder.path}/${name}`;
    const evidence = at("evidence");
    const code = `require("node:fs").appendFileSync(${JSON.stringify(evidence)}, "ran ");`;
    for (const name of ["evil.ts", "evil.js", "index.ts", "index.js", "main.ts", "yard.ts"])
      writeFileSync(at(name), code);
    writeFileSync(
      at("bunfig.toml"),
      'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n[test]\npreload = ["./evil.ts"]\n',
    );
    writeFileSync(
      at("package.json"),
      '{"name":"evil","main":"evil.js","type":"commonjs","imports":{"#a":"./evil.js"}}',
    );
    writeFileSync(at("tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
    const variables = `SWITCHYARD_RUN_DIR=${at("run")}\nBUN_OPTIONS=--preload ./evil.ts\nNODE_OPTIONS=--require ./evil.js\n`;
    for (const name of [".env", ".env.local", ".env.production", ".env.development"])
      writeFileSync(at(name), variables);
    for (const name of ["commander", "yaml", "zod", "pino", "dockerode"]) {
      mkdirSync(at(`node_modules/${name}`), { recursive: true });
      writeFileSync(at(`node_modules/${name}/package.json`), `{"name":"${name}","main":"index.js"}`);
      writeFileSync(at(`node_modules/${name}/index.js`), code);
    }
    const said = await run([yard, "--version"], { cwd: folder.path });
    expect(said.trim()).toBe(version);
    // Each of these loads more of the program; what they answer is no matter here.
    for (const argv of [["yards"], ["plan", "none.yard.yaml"], ["completion", "bash"]])
      await tryRun([yard, ...argv], { cwd: folder.path });
    expect(existsSync(evidence)).toBe(false);
    // The folder that .env names would have been made or looked into.
    expect(existsSync(at("run"))).toBe(false);
  });

  test("starts with less than 50 ms of work", () => {
    const times = Array.from({ length: 5 }, () => {
      const { resourceUsage, exitCode } = Bun.spawnSync([yard, "--version"], { env: childEnvironment() });
      expect(exitCode).toBe(0);
      return Number(resourceUsage?.cpuTime.total ?? Number.NaN) / 1_000;
    });
    // Processor time, and the least of several: other work on the machine can only add to it.
    expect(Math.min(...times)).toBeLessThan(50);
  });

  test("is one file of a size that can be copied about", () => {
    expect(statSync(yard).size).toBeLessThan(130 * 1024 * 1024);
  });

  test("ends with 2 when called wrongly, and says how it is called", async () => {
    const result = await tryRun([yard, "no-such-verb"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain("no-such-verb");
  });
});
