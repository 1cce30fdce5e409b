import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, makeRouterRoot, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(120_000);

const example = new URL("../../../examples/frrspider.yard.yaml", import.meta.url).pathname;

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "busybox", "frr"))(
  "a web of sixty routers and 35 lans",
  () => {
    const yard = yardName();
    let before: Machine;
    let site: Site;
    const said = (...argv: readonly string[]) => site.said(yard, argv);

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      await makeRouterRoot(join(site.folder, "frr"));
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("starts in one up, and converges", async () => {
      const lab = site.write("frrspider.yard.yaml", readFileSync(example, "utf8"));
      expect(await said("up", lab)).toStartWith("lab frrspider: 35 networks, 60 nodes added");
      expect(await said("check")).toContain("7 of 7 checks as expected");
    });
  },
);
