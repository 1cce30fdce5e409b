import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { HttpSite, type Talk } from "./http-site.ts";

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const BOOT = 60_000;

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "ping"))("a virtual machine over HTTP", () => {
  let before: Machine;
  let site: HttpSite;

  beforeAll(async () => {
    before = await snapshotMachine();
    const { kernel, initrd } = await ensureGuest();
    site = await HttpSite.create({ argv: ["--rate", "0"] });
    const image = join(site.folder, "disk.qcow2");
    await run(["qemu-img", "create", "-q", "-f", "qcow2", image, "16M"]);
    await site.up(`name: machine
networks: {lan: {cidr: 10.99.1.0/24}}
nodes:
  pc: {kind: netns, nics: [{network: lan, ip: 10.99.1.9/24}]}
  vm: {kind: vm, image: ${image}, kernel: ${kernel}, initrd: ${initrd}, append: "console=ttyS0 quiet address=10.99.1.1/24", memory: 160M, nics: [{network: lan, ip: 10.99.1.1/24}]}
`);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${site.yard}|syguest`) });
  });

  const says = (console: Talk, text: string) => console.until(({ printed }) => printed.includes(text), BOOT);
  const power = (action: string, query = "") => site.done("POST", `/nodes/vm/power${query}`, { action, grace: 10 });

  test("its console is a terminal, with what it said before", async () => {
    const console = site.open("/nodes/vm/console?history=4096");
    await says(console, "guest ready");
    console.send(JSON.stringify({ resize: { columns: 100, rows: 30 } }));
    console.type("\n");
    await says(console, "guest# ");
    console.type("echo said $((40 + 2))\n");
    await says(console, "said 42");
    // Another one sees the same, and the machine outlives both.
    const other = site.open("/nodes/vm/console?history=65536");
    await says(other, "said 42");
    console.leave();
    other.type("echo still $((1 + 1))\n");
    await says(other, "still 2");
    other.leave();
    expect(await site.done("GET", "/nodes/vm")).toMatchObject({ kind: "vm", state: "running" });
  });

  test("its agent runs commands, and pings come to it", async () => {
    const ran = await site.done("POST", "/nodes/vm/exec", { command: ["sh", "-c", "hostname; exit 3"] });
    expect(ran).toMatchObject({ exitCode: 3 });
    const { pairs } = await site.done("POST", "/pingall", { timeout: 5 });
    expect(pairs).toEqual([{ from: "pc", to: "vm", roundTrip: expect.any(Number) }]);
  });

  test("its buttons, states and copies are told as a plan first", async () => {
    const image = join(site.folder, "saved.qcow2");
    for (const [method, path, body, step] of [
      ["POST", "/nodes/vm/power", { action: "pause" }, "machine-pause"],
      ["POST", "/nodes/vm/snapshots", { name: "one" }, "snapshot-take"],
      ["POST", "/nodes/vm/snapshots/one/revert", undefined, "snapshot-revert"],
      ["DELETE", "/nodes/vm/snapshots/one", undefined, "snapshot-delete"],
      ["POST", "/nodes/vm/save", { file: image }, "disk-save"],
    ] as const)
      expect(await site.done(method, `${path}?dry_run=true`, body)).toEqual({
        ...{ node: "vm", done: null },
        plan: [{ text: expect.stringMatching(/^~ node vm: /), do: step, subject: "node vm" }],
      });
    expect(await site.done("GET", "/nodes/vm/snapshots")).toEqual([]);
    expect(existsSync(image)).toBe(false);
    expect((await site.done("GET", "/nodes/vm")).paused).toBe(false);

    await power("pause");
    expect(await site.done("POST", "/nodes/vm/snapshots", { name: "one" })).toMatchObject({
      done: "taken",
      plan: null,
    });
    await power("resume");
    expect((await site.done("GET", "/nodes/vm/snapshots")).map(({ tag }: { tag: string }) => tag)).toEqual(["one"]);
    await site.done("DELETE", "/nodes/vm/snapshots/one");
    await site.done("POST", "/nodes/vm/save", { file: image });
    expect(existsSync(image)).toBe(true);
  });

  test("stopped it stays off, and its button is refused; started it boots", async () => {
    await site.done("POST", "/nodes/vm/stop?grace=10");
    expect(await site.done("GET", "/nodes/vm")).toMatchObject({ state: "stopped", stopped: true, pid: null });
    const refused = await site.ask("POST", "/nodes/vm/power", { action: "start" });
    expect([refused.status, refused.body.code]).toEqual([409, "node.stopped"]);
    expect((await site.done("POST", "/labs/machine/up")).failures).toEqual([]);
    expect((await site.done("GET", "/nodes/vm")).state).toBe("stopped");
    await site.done("POST", "/undo");
    const console = site.open("/nodes/vm/console?history=65536");
    await console.until(({ printed }) => printed.split("guest ready").length > 2, BOOT);
    console.leave();
    expect(await site.done("GET", "/nodes/vm")).toMatchObject({ state: "running", stopped: false });
  });
});
