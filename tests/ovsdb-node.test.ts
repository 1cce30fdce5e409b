import { expect, test } from "bun:test";
import { childEnvironment, run } from "@switchyard/base";
import { requires } from "@switchyard/testing";

const root = new URL("..", import.meta.url).pathname;

test.skipIf(!requires("openvswitch"))(
  "the OVSDB client passes its tests on Node too",
  async () => {
    const env = { ...childEnvironment(), REPORTER: "tap" };
    const report = await run([`${root}packages/ovsdb/tests/node.sh`], { timeout: 240_000, env });
    expect(Number(/^# pass (\d+)$/m.exec(report)?.[1])).toBeGreaterThan(50);
    expect(report).toMatch(/^# fail 0$/m);
  },
  250_000,
);
