import { expect, test } from "bun:test";
import { childEnvironment, tryRun } from "@switchyard/base";
import { requires } from "@switchyard/testing";

const root = new URL("..", import.meta.url).pathname;

test.skipIf(!requires("openvswitch"))(
  "the OVSDB client passes its tests on Node too",
  async () => {
    const env = { ...childEnvironment(), REPORTER: "tap" };
    const { stdout: report } = await tryRun([`${root}packages/ovsdb/tests/node.sh`], { timeout: 240_000, env });
    const failed = report.split(/^ *(?=(?:not )?ok )/m).filter((result) => result.startsWith("not ok "));
    expect(failed).toEqual([]);
    expect(Number(/^# pass (\d+)$/m.exec(report)?.[1])).toBeGreaterThan(50);
    expect(report).toMatch(/^# fail 0$/m);
  },
  250_000,
);
