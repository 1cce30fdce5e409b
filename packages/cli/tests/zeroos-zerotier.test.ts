import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

setDefaultTimeout(90_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))(
  "a program written for zero-os, with a stand-in for zerotier-one",
  () => {
    const yard = yardName();
    let before: Machine;
    let site: Site;
    let served: ServedYard;

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      const standIn = fileURLToPath(new URL("../../yard/tests/zerotier-stand-in.ts", import.meta.url));
      const folder = join(site.folder, "bin");
      mkdirSync(folder);
      for (const name of ["one", "cli"]) {
        const file = site.write(
          `bin/zerotier-${name}`,
          `#!/bin/sh\nexec ${process.execPath} ${standIn} ${name} "$@"\n`,
        );
        chmodSync(file, 0o755);
      }
      // The agent has the PATH of who starts it.
      served = await serveYard(site, yard, ["--root", "*=busybox"], { PATH: `${folder}:${process.env.PATH}` });
    });
    afterAll(async () => {
      await served[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("has containers on its networks, with the addresses that they are assigned", async () => {
      await served.passes("networking", "zerotier");
    });
  },
);
