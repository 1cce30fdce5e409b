import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import {
  ensureGuest,
  expectSameMachine,
  type Guest,
  type Machine,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { Screen } from "./screen.ts";

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const NAME = `tvmh${process.pid}`;
/** A NIC of the host, with somebody else behind it: 10.88.1.254. */
const NIC = `tvn${process.pid}`;
const OUT = `${NAME}-out`;
/** A bridge of the kernel's own that somebody made, on which the host is 10.88.2.254. */
const BRIDGE = `tvb${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "ping"))("virtual machines on the host's", () => {
  let before: Machine;
  let guest: Guest;
  let yard: LiveYard;
  let engine: VmEngine;

  beforeAll(async () => {
    before = await snapshotMachine();
    guest = await ensureGuest();
    await run(["ip", "netns", "add", OUT]);
    await run(["ip", "link", "add", NIC, "type", "veth", "peer", "name", "out0", "netns", OUT]);
    await run(["ip", "link", "set", NIC, "up"]);
    await run(["ip", "-n", OUT, "address", "add", "10.88.1.254/24", "dev", "out0"]);
    await run(["ip", "-n", OUT, "link", "set", "out0", "up"]);
    await run(["ip", "link", "add", BRIDGE, "type", "bridge"]);
    await run(["ip", "address", "add", "10.88.2.254/24", "dev", BRIDGE]);
    await run(["ip", "link", "set", BRIDGE, "up"]);
    yard = await LiveYard.create(NAME);
    const { state: stateDir, run: runDir } = yard.paths;
    engine = await openVmEngine({ stateDir, runDir, log: createLogger("test", "silent") });
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await run(["ip", "netns", "delete", OUT]);
    for (const link of [NIC, BRIDGE]) await tryRun(["ip", "link", "delete", link]);
    await expectSameMachine(before, { ours: new RegExp(`${NAME}|${NIC}|${BRIDGE}|syguest`) });
  });

  const lab = (nics: string, networks = "") => `
name: host
networks:
  street: { type: macvlan, parent: ${NIC}, cidr: 10.88.1.0/24 }
  kernel: { type: bridge, bridge: ${BRIDGE}, cidr: 10.88.2.0/24 }
${networks}
nodes:
  vm:
    kind: vm
    kernel: ${guest.kernel}
    initrd: ${guest.initrd}
    append: console=ttyS0 quiet media
    memory: 160M
    cloud_init: true
    nics: [${nics}]
`;
  const BOTH = "{ network: street, ip: 10.88.1.7/24 }, { network: kernel, ip: 10.88.2.7/24 }";
  const inGuest = async (script: string) => {
    const screen = new Screen();
    const code = await engine.exec(`${NAME}_vm`, { command: ["/bin/sh", "-c", script], tty: false }, screen);
    return { code, said: await screen.text() };
  };
  const links = async () =>
    (await run(["ip", "-o", "link"])).split("\n").filter((line) => /: yn[0-9a-f]{12}[@:]/.test(line));

  test("have a macvtap on a NIC, and are members of a bridge of the kernel's own", async () => {
    const { failures } = await yard.up(lab(BOTH));
    expect(failures).toEqual([]);
    expect(await yard.plan(lab(BOTH))).toEqual([]);
    await Screen.sees(engine, `${NAME}_vm`, "guest ready");
    for (const to of ["10.88.1.254", "10.88.2.254"])
      expect(await inGuest(`ping -c 1 -w 10 ${to}`)).toMatchObject({ code: 0 });
    expect((await tryRun(["ping", "-c", "1", "-w", "10", "10.88.2.7"])).code).toBe(0);
    const states = await yard.until(({ nodes }) => nodes.flatMap(({ nics }) => nics.map(({ status }) => status.state)));
    expect(states).toEqual(["up", "up"]);
    const make = "dd if=/dev/urandom of=/tmp/file bs=1k count=1000 2>/dev/null; md5sum < /tmp/file";
    const made = await inGuest(make);
    await inGuest("httpd -h /tmp");
    const fetched = await run(["busybox", "wget", "-q", "-O", `${yard.folder}/file`, "http://10.88.2.7/file"]);
    expect(fetched).toBe("");
    expect(await run(["md5sum", `${yard.folder}/file`])).toStartWith(made.said.split(" ")[0] ?? "none");
    const fromStreet = ["busybox", "wget", "-q", "-O", `${yard.folder}/other`, "http://10.88.1.7/file"] as const;
    await run(["ip", "netns", "exec", OUT, ...fromStreet]);
    expect(await run(["md5sum", `${yard.folder}/other`])).toStartWith(made.said.split(" ")[0] ?? "none");
  });

  test("have them made anew when they are taken away, and moved while they run", async () => {
    await using _agent = await yard.agent();
    const pid = (await yard.status("vm"))?.pid;
    for (const line of await links()) {
      const at = yard.logLength();
      await run(["ip", "link", "delete", /: (yn\w+)/.exec(line)?.[1] ?? ""]);
      await yard.putRight(lab(BOTH), at);
    }
    expect(await links()).toHaveLength(2);
    const moved = lab("{ network: kernel, name: eth0, ip: 10.88.2.8/24 }");
    expect((await yard.up(moved)).failures).toEqual([]);
    expect(await yard.plan(moved)).toEqual([]);
    expect(await links()).toHaveLength(1);
    expect((await yard.status("vm"))?.pid).toBe(pid ?? 0);
  });

  test("leave nothing on the host; an absent NIC is the nic's error, a damaged image the node's", async () => {
    const absent = lab("wrong", "  wrong: { type: macvlan, parent: nosuchnic }");
    expect((await yard.up(absent)).failures).toMatchObject([{ code: "nic.parent-absent" }]);
    writeFileSync(`${yard.folder}/damaged.qcow2`, "QFI\xfb and nothing that follows", "latin1");
    const damaged = lab("kernel").replace("    kernel:", "    image: damaged.qcow2\n    kernel:");
    expect((await yard.up(damaged)).failures).toMatchObject([
      { code: "vm.image-corrupt", subject: { kind: "node", node: "vm" } },
    ]);
    expect((await yard.up("name: host")).failures).toEqual([]);
    expect(await links()).toEqual([]);
  });
});
