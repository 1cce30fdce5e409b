import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CloonixSite, createCloonixSite } from "./cloonix-site.ts";

setDefaultTimeout(60_000);

const NET = `mito${process.pid}`;
const TAP = `ct${process.pid}`;
const able = requires("root", "openvswitch", "qemu", "runc", "conmon", "busybox", "dnsmasq", "nftables");

/** Two containers, a tap and a machine on lans, with an impaired passage between these. */
const TOPOLOGY = `
cloonix_cli NET add cru a eth=sv busybox '--customer_launch=echo $GREETING > /greeting; exec sleep 7777' '--startup_env=B=c GREETING=hi' --mac_addr=eth1:02:00:00:00:00:07
cloonix_cli NET add cru b eth=v busybox '--customer_launch=sleep 7777' --vmount=WORK:/work
cloonix_cli NET add tap ${TAP}
cloonix_cli NET add a2b wan
cloonix_cli NET add c2c far fido
cloonix_cli NET add nat out cidr=10.92.7.0/24
cloonix_cli NET add kvm vm ram=64 cpu=1 eth=vs WORK/disk.qcow2 --no_qemu_ga --no_reboot --added_disk=WORK/more.qcow2
cloonix_cli NET add lan a 0 lan1.0.1
cloonix_cli NET add lan b 0 right
cloonix_cli NET add lan ${TAP} 0 lan1.0.1
cloonix_cli NET add lan wan 0 lan1.0.1
cloonix_cli NET add lan wan 1 right
cloonix_cli NET add lan out 0 right
cloonix_cli NET add lan vm 1 right
cloonix_cli NET cnf lan right rstp
cloonix_cli NET cnf a2b wan 'dir=0 cmd=delay val=20'
cloonix_cli NET cnf a2b wan 'dir=0 cmd=loss val=0.5'
cloonix_cli NET cnf a2b wan 'dir=1 cmd=rate val=1000'
cloonix_cli NET cnf a2b wan 'dir=1 cmd=qsize val=64'
cloonix_cli NET snf ${TAP} 0 1
`;

/** Until one is answered: the way loses some, and a lan with RSTP takes its time to let its first frames through. */
const pinged = (target: string) =>
  `i=0; until ping -c 1 -W 1 ${target}; do i=$((i + 1)); [ $i -lt 20 ] || exit 1; done`;

describe.skipIf(!able)("a net made by cloonix's commands", () => {
  let before: Machine;
  let cloonix: CloonixSite;
  let topology: string;
  const run = (line: string) => cloonix.said(line.replaceAll("NET", NET));
  const lines = (text: string) => text.trim().split("\n");
  const vsctl = async (words: string) => lines(await run(`cloonix_ovs NET ${words}`)).toSorted();

  beforeAll(async () => {
    before = await snapshotMachine();
    cloonix = await createCloonixSite(NET);
    topology = TOPOLOGY.replaceAll("WORK", cloonix.site.folder);
    await run("qemu-img create -q -f qcow2 disk.qcow2 16M && qemu-img create -q -f qcow2 more.qcow2 16M");
    await run("cloonix_net NET");
  });
  afterAll(async () => {
    await cloonix[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${NET}|${TAP}`) });
  });

  test("is listed as the commands that made it, which make the very same again", async () => {
    for (const line of lines(topology)) await run(line);
    expect(lines(await run("cloonix_cli NET lst"))).toEqual(lines(topology.replaceAll("NET", NET)));
    await run("cloonix_cli NET lst > saved.sh");
    const shown = await vsctl("list-br");
    await run("cloonix_cli NET rma");
    expect(await run("cloonix_cli NET lst")).toBe("");
    expect(await run("cloonix_ovs NET list-br")).toBe("");
    await run("bash -e saved.sh");
    expect(await run("cloonix_cli NET lst")).toBe(readFileSync(join(cloonix.site.folder, "saved.sh"), "utf8"));
    expect(await vsctl("list-br")).toEqual(shown);
    // Numbers go on.
    expect(await vsctl("list-ports _b_lan1.0.1")).toEqual(["_k_10_0", "_k_11_0", "_k_8_0", "s_k_10_0", "s_k_8_0"]);
  });

  test("has nodes that are entered, and files go in", async () => {
    expect(await run("cloonix_ssh NET a 'cat /greeting'")).toBe("hi\n");
    await run("cloonix_ssh NET a 'ip addr add 10.93.0.1/24 dev eth0; ip link show eth1' | grep 02:00:00:00:00:07");
    await run("cloonix_ssh NET b 'ip addr add 10.93.0.2/24 dev eth0'");
    await run(`cloonix_ssh NET a '${pinged("10.93.0.2")}'`);
    await run("echo from the host > note && cloonix_scp NET note a:note && cloonix_scp NET a:/root/note back");
    expect(readFileSync(join(cloonix.site.folder, "back"), "utf8")).toBe("from the host\n");
  });

  test("is impaired live, and what there is can be read", async () => {
    expect(lines(await run("cloonix_cli NET cnf a2b wan"))).toEqual([
      ...["dir=0 cmd=delay val=20", "dir=0 cmd=loss val=0.5"],
      ...["dir=1 cmd=rate val=1000", "dir=1 cmd=qsize val=64"],
    ]);
    await run('cloonix_cli NET cnf a2b wan "dir=0 cmd=loss val=10000"');
    expect((await cloonix.line(`cloonix_ssh ${NET} a 'ping -c 1 -W 1 10.93.0.2'`)).code).toBe(1);
    await run("cloonix_cli NET cnf a2b wan dir=0 cmd=loss val=0");
    await run(`cloonix_ssh NET a '${pinged("10.93.0.2")}'`);
  });

  test("has a nat that leases addresses, tells whose they are, and is a way to the host", async () => {
    await run("cloonix_ssh NET b 'udhcpc -n -q -t 20 -T 1 -i eth0'");
    const address = (await run("cloonix_cli NET cnf nat out whatip=b")).trim();
    expect(address).toMatch(/^10\.92\.7\.\d+$/);
    await run(`cloonix_ssh NET b 'ip addr add ${address}/24 dev eth0; ${pinged("10.92.7.1")}'`);
    // Behind the a2b.
    await run("cloonix_ssh NET a 'udhcpc -n -q -t 20 -T 1 -i eth0'");
    expect(await run("cloonix_cli NET cnf nat out whatip=a")).toMatch(/^10\.92\.7\.\d+\n$/);
    expect((await cloonix.line(`cloonix_cli ${NET} cnf nat out whatip=vm`)).stderr).toContain("cloonix.no-lease");
  });

  test("shows what passes an interface to Wireshark, spied on or not", async () => {
    cloonix.site.write("../bin/wireshark", "#!/bin/sh\nhead -c 4 > seen\n");
    await run("chmod +x ../bin/wireshark");
    const watching = run("cloonix_wsk NET b 0");
    const pings = run("cloonix_ssh NET a 'ping -c 5 -i 0.2 -w 5 10.93.0.2'").catch(() => "");
    await watching;
    // The magic of a pcapng's first block.
    expect(readFileSync(join(cloonix.site.folder, "seen")).toString("hex")).toBe("0a0d0d0a");
    await pings;
  });
});
