import { afterAll, describe, expect, test } from "bun:test";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { requires, SKIP_LINE } from "@switchyard/testing";

const root = new URL("..", import.meta.url).pathname;
const env = { ...childEnvironment(), DEMO_YARD: "thouse" };
const demo = (...argv: string[]) => tryRun(["sh", "scripts/demo.sh", ...argv], { cwd: root, env, timeout: 90_000 });

const able = requires("root", "openvswitch", "iproute2", "busybox", "runc", "conmon") && portIsFree(8080);

describe.skipIf(!able)("make demo", () => {
  afterAll(() => demo("down"));

  test("brings the example up, proves it, shows it and says how to go on", async () => {
    const { code, stdout, stderr } = await demo();
    expect({ code, stderr: code === 0 ? "" : stderr + stdout }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("9 of 9 checks as expected");
    expect(stdout).toMatch(/^hello +router +netns +running /m);
    expect(stdout).toContain("make demo-down");
  }, 100_000);

  test("may be repeated, and then changes nothing", async () => {
    const { code, stdout } = await demo();
    expect(code).toBe(0);
    expect(stdout).toContain("lab hello: nothing to do");
  }, 100_000);

  test("publishes the web server's page on the host", async () => {
    const page = await fetch("http://127.0.0.1:8080/");
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("Hello from the lab");
  });

  test("goes without a trace", async () => {
    expect((await demo("down")).code).toBe(0);
    expect(await run(["ip", "netns", "list"])).not.toContain("yard_thouse");
    await expect(fetch("http://127.0.0.1:8080/")).rejects.toThrow();
  });
});

/** The example publishes it. In CI it is free, or the test fails. */
function portIsFree(port: number): boolean {
  try {
    Bun.serve({ port, fetch: () => new Response() }).stop(true);
    return true;
  } catch {
    process.stderr.write(`${SKIP_LINE} needs port ${port} of this host, which something has taken\n`);
    return process.env.CI === "true";
  }
}
