import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  requires,
  snapshotMachine,
  startDockerEngine,
} from "@switchyard/testing";
import { type CloonixSite, createCloonixSite } from "./cloonix-site.ts";

setDefaultTimeout(60_000);

const NET = `fido${process.pid}`;
const able = requires("root", "openvswitch", "qemu", "runc", "conmon", "busybox", "dnsmasq", "docker-engine");

describe.skipIf(!able)("a net that cloonix's commands change", () => {
  let before: Machine;
  let cloonix: CloonixSite;
  let engine: DockerEngine;
  const run = (line: string) => cloonix.said(line.replaceAll("NET", NET));

  beforeAll(async () => {
    before = await snapshotMachine();
    engine = await startDockerEngine();
    cloonix = await createCloonixSite(NET);
    await run("qemu-img create -q -f qcow2 disk.qcow2 16M");
    await run("cloonix_net NET");
    for (const words of [
      "add cru a eth=sv busybox '--customer_launch=sleep 7777'",
      "add cru b eth=v busybox '--customer_launch=sleep 7777'",
      "add a2b wan",
      "add kvm vm ram=64 cpu=1 eth=vs disk.qcow2",
      ...["add lan a 0 left", "add lan wan 0 left", "add lan wan 1 right", "add lan b 0 right", "add lan vm 1 right"],
    ])
      await run(`cloonix_cli NET ${words}`);
  });
  afterAll(async () => {
    await cloonix[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${NET}|c[pq]${process.pid}`) });
  });

  test("loses a lan with the last that is on it, and keeps the interfaces", async () => {
    await run("cloonix_cli NET del lan vm 1 right");
    await run("cloonix_cli NET del lan wan 1 right");
    expect(await run("cloonix_ovs NET list-br")).toContain("_b_right");
    await run("cloonix_cli NET del sat b");
    expect(await run("cloonix_ovs NET list-br")).not.toContain("_b_right");
    expect(await run(`ip -n cloonix_NET -br link`)).toMatch(/^_k_4_1 /m);
    await run("cloonix_cli NET snf a 0 0");
    expect(await run("cloonix_cli NET lst")).toContain(`cloonix_cli ${NET} add cru a eth=vv busybox`);
    expect(await run("cloonix_cli NET dmp")).toContain("cru a obj_id=1 running\n  0 _k_1_0 ");
  });

  test("waits for an item that is just being added, as scripts do", async () => {
    await run(
      "cloonix_cli NET add cru late eth=s busybox '--customer_launch=sleep 77' & cloonix_cli NET add lan late 0 new; wait",
    );
    expect(await run("cloonix_ovs NET list-ports _b_new")).toBe("_k_5_0\ns_k_5_0\n");
  });

  test("looks for images where the caller stands, and then among those of the host", async () => {
    await run(
      "mkdir -p root/bin ../state/images && cp /bin/busybox root/bin && cp disk.qcow2 ../state/images/kept.qcow2",
    );
    await run("for program in sh sleep true; do ln -s busybox root/bin/$program; done");
    await run("cloonix_cli NET add cru here eth=v root");
    await run("cloonix_cli NET add kvm there ram=64 cpu=1 kept.qcow2");
    await run("cloonix_ssh NET here true");
    const listed = await run("cloonix_cli NET lst");
    expect(listed).toContain(`add cru here eth=v ${cloonix.site.folder}/root\n`);
    expect(listed).toContain("add kvm there ram=64 cpu=1 kept.qcow2\n");
    await run("cloonix_cli NET del sat here && cloonix_cli NET del sat there");
  });

  test("has containers of Docker's among the others", async () => {
    const cli = `DOCKER_HOST=${engine.address} cloonix_cli NET`;
    await run(`${cli} add doc d eth=s busybox '--customer_launch=sleep 7777'`);
    await run("cloonix_cli NET add lan d 0 left");
    expect(await run("cloonix_ssh NET d 'ip link set eth0 mtu 1400; cat /sys/class/net/eth0/mtu'")).toBe("1400\n");
    expect(await run(`${cli} lst`)).not.toContain("# d is more");
    expect(await run(`${cli} lst`)).toContain("add doc d eth=s busybox '--customer_launch=sleep 7777'\n");
    await run("cloonix_cli NET del doc d");
  });

  test("takes a NIC of the host for a lan, and gives it back", async () => {
    const nic = `cp${process.pid}`;
    await run(`ip link add ${nic} type veth peer name cq${process.pid}`);
    try {
      await run(`cloonix_cli NET add phy ${nic} absorb`);
      await run(`cloonix_cli NET add lan ${nic} 0 outside`);
      expect(await run("cloonix_ovs NET list-ports _b_outside")).toBe("_k_9_0\n");
      expect((await cloonix.line(`ip link show ${nic}`)).code).toBe(1);
      expect(await run("cloonix_cli NET lst")).toContain(`cloonix_cli ${NET} add phy ${nic} absorb\n`);
      await run(`cloonix_cli NET del phy ${nic}`);
      await run(`ip link show ${nic}`);
    } finally {
      await run(`ip link delete cq${process.pid}`);
    }
  });

  test("plugs a machine into a nat of its own where that is asked for", async () => {
    await run("cloonix_cli NET add kvm own ram=64 cpu=1 eth=vv disk.qcow2 --natplug=1");
    const listed = await run("cloonix_cli NET lst");
    expect(listed).toMatch(/add nat nat_own cidr=[\d.]+\/24$/m);
    expect(listed).toContain(`add lan own 1 lan_nat_own\ncloonix_cli ${NET} add lan nat_own 0 lan_nat_own`);
  });

  test("refuses what it does not know with a code, and changes nothing", async () => {
    const listed = await run("cloonix_cli NET lst");
    for (const [words, status, code] of [
      ["frobnicate", 2, "cloonix.bad-word"],
      ["add kvm x ram=64 cpu=1 nowhere.qcow2", 1, "image.absent"],
      ["add cru x eth=s no-such-image", 1, "runtime.image-absent"],
      ["add tap a", 1, "node.name-taken"],
      ["add phy nosuchnic absorb", 1, "nic.parent-absent"],
      ["add kvm x ram=0 cpu=1 disk.qcow2", 1, "memory.too-small"],
      ["add lan a 7 lan9", 1, "nic.unknown"],
      ["add lan a 0 lan9", 1, "nic.plugged"],
      ["del lan a 0 lan9", 1, "cloonix.not-plugged"],
      ["del kvm a", 1, "cloonix.wrong-kind"],
      ["del sat nobody", 1, "node.unknown"],
      ["cnf a2b a dir=0 cmd=loss val=1", 1, "impair.no-pipe"],
    ] as const) {
      const { code: ended, stderr } = await cloonix.line(`cloonix_cli ${NET} ${words}`);
      expect([words, ended, stderr]).toEqual([words, status, expect.stringContaining(code)]);
    }
    expect(await cloonix.line("cloonix_cli elsewhere lst")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cloonix.not-running"),
    });
    expect(await run("cloonix_cli NET lst")).toBe(listed);
    await run("cloonix_cli NET kil");
    expect((await cloonix.line(`cloonix_cli ${NET} lst`)).code).toBe(1);
  });
});
