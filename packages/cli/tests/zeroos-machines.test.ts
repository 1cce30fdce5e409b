import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { yardPaths } from "@switchyard/yard/paths";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const needs = ["root", "openvswitch", "qemu", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, with a virtual machine", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  let served: ServedYard;
  let engine: VmEngine;
  let uuid = "";
  let container = "";

  beforeAll(async () => {
    before = await snapshotMachine();
    const guest = await ensureGuest();
    site = await createSite();
    const boot = join(site.folder, "machine", "boot");
    mkdirSync(boot, { recursive: true });
    symlinkSync(guest.kernel, join(boot, "vmlinuz"));
    symlinkSync(guest.initrd, join(boot, "initrd.img"));
    chmodSync(join(site.folder, ".."), 0o755);
    const flist = "https://hub.gig.tech/machine.flist=./machine";
    served = await serveYard(site, yard, ["--root", "*=busybox", "--root", flist]);
    const { state, run } = yardPaths(yard, site.env);
    engine = await openVmEngine({ stateDir: state, runDir: run, log: createLogger("test", "silent") });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|syguest`) });
  });

  /** What a command in the guest prints, by its agent. */
  async function inGuest(script: string): Promise<string> {
    const stdout = new PassThrough();
    const said = text(stdout);
    const streams = { stdin: undefined, stdout, stderr: new PassThrough().resume() };
    const code = await engine.exec(`${yard}_guest`, { command: ["/bin/sh", "-c", script], tty: false }, streams);
    stdout.end();
    if (code !== 0) throw new Error(`${script} ended with ${code}: ${await said}`);
    return await said;
  }
  const listen = "mkfifo -m 600 /tmp/open; nc -l -p 5000 <>/tmp/open >/tmp/got 2>/dev/null & sleep 0.2";

  test("makes it, and reaches it by its VLAN with ping and bulk TCP", async () => {
    const told: unknown = JSON.parse(await served.passes("machines", "made"));
    expect(told).toEqual({ uuid: expect.any(String), container: expect.any(Number) });
    uuid = String(Reflect.get(Object(told), "uuid"));
    container = String(Reflect.get(Object(told), "container"));
    await inGuest(listen);
    await served.passes("machines", "sends_to_it", container, "10.80.0.9");
    expect((await inGuest("wc -c </tmp/got")).trim()).toBe("3000000");
  });

  test("plugs a VXLAN in, which carries bulk TCP as well", async () => {
    await served.passes("machines", "plugged", uuid);
    const nic = "$(basename $(dirname $(grep -l 52:54:00:81:00:09 /sys/class/net/*/address)))";
    await inGuest(`until grep -q 52:54:00:81:00:09 /sys/class/net/*/address; do usleep 50000; done
      ip link set ${nic} up; ip address add 10.81.0.9/24 dev ${nic}; rm /tmp/open; ${listen}`);
    await served.passes("machines", "sends_to_it", container, "10.81.0.9");
    expect((await inGuest("wc -c </tmp/got")).trim()).toBe("3000000");
  });

  test("plugs it out; pauses and resumes the machine", async () => {
    await served.passes("machines", "unplugged", uuid, container);
  });

  test("shuts it down; resets and destroys another", async () => {
    await served.passes("machines", "ended", uuid, container);
  });
});
