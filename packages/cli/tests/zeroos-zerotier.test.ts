import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
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
    const host = `${yard}-host`;
    let own: readonly [string, ...string[]];

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      const standIn = fileURLToPath(new URL("../../yard/tests/zerotier-stand-in.ts", import.meta.url));
      const folder = join(site.folder, "bin");
      mkdirSync(folder);
      // The host's own process has a namespace of its own here, so that no device of it comes to the host.
      await run(["ip", "netns", "add", host]);
      await run(["ip", "-n", host, "link", "set", "lo", "up"]);
      const inHost = ["nsenter", `--net=/run/netns/${host}`, process.execPath, standIn] as const;
      own = [...inHost, "one", "-U", "-p0", `${site.folder}/home`];
      const cli = `case "$*" in *-D/*) ;; *) exec ${inHost.join(" ")} cli -D${site.folder}/home "$@" ;; esac\n`;
      for (const name of ["one", "cli"]) {
        const program = `exec ${process.execPath} ${standIn} ${name} "$@"\n`;
        const file = site.write(`bin/zerotier-${name}`, `#!/bin/sh\n${name === "cli" ? cli : ""}${program}`);
        chmodSync(file, 0o755);
      }
      // The agent has the PATH of who starts it.
      served = await serveYard(site, yard, ["--root", "*=busybox"], { PATH: `${folder}:${process.env.PATH}` });
    });
    afterAll(async () => {
      await served[Symbol.asyncDispose]();
      await run(["ip", "netns", "delete", host]);
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("has containers on its networks, with the addresses that they are assigned", async () => {
      await served.passes("networking", "zerotier");
    });

    test("joins the host itself, and leaves again, once it has a process of its own", async () => {
      await served.passes("networking", "no_memberships");
      const [program, ...args] = own;
      const child = spawn(program, args, { stdio: "ignore" });
      const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
      try {
        const home = join(site.folder, "home");
        mkdirSync(home, { recursive: true });
        await writtenIn(home, "zerotier-one.port");
        await served.passes("networking", "memberships");
      } finally {
        child.kill();
        await ended;
      }
    });
  },
);

/** Resolves when that file is in that folder. */
async function writtenIn(folder: string, name: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (existsSync(join(folder, name))) resolve();
  };
  using _watch = watchFolder(folder, look);
  look();
  await promise;
}
