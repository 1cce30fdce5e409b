import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  busyboxTar,
  expectSameMachine,
  type Machine,
  type PodmanConfiguration,
  podmanConfiguration,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { type CloonixSite, createCloonixSite } from "./cloonix-site.ts";

setDefaultTimeout(90_000);

const NET = `mito${process.pid}`;
const NIC = `ck${process.pid}`;
const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "dnsmasq", "podman", "nftables");

describe.skipIf(!able)("every kind of item of a net of cloonix's", () => {
  let before: Machine;
  let cloonix: CloonixSite;
  let podman: PodmanConfiguration;
  const run = (line: string) => cloonix.said(line.replaceAll("NET", NET));

  beforeAll(async () => {
    before = await snapshotMachine();
    podman = await podmanConfiguration();
    // For the net's agent too, which cloonix_net starts.
    Object.assign(process.env, podman.env);
    cloonix = await createCloonixSite(NET);
    await run("cloonix_net NET");
    await run("cloonix_cli NET add cru other eth=v busybox '--customer_launch=sleep 7777'");
    await run("cloonix_cli NET add lan other 0 lan1");
    await run("cloonix_ssh NET other 'ip addr add 10.94.1.9/24 dev eth0'");
  });
  afterAll(async () => {
    try {
      await cloonix[Symbol.asyncDispose]();
    } finally {
      for (const key of Object.keys(podman.env)) delete process.env[key];
      await podman[Symbol.asyncDispose]();
    }
    await expectSameMachine(before, { ours: new RegExp(`${NET}|${NIC}`) });
  });

  test("a container of Podman's is on a lan, is entered, copied to, listed and spied on", async () => {
    await run("cloonix_cli NET add pod p eth=sv busybox '--customer_launch=sleep 7777' '--startup_env=A=b C=d'");
    await run("cloonix_cli NET add lan p 0 lan1");
    expect(await run("cloonix_ssh NET p 'ip addr add 10.94.1.2/24 dev eth0; echo $A$C'")).toBe("bd\n");
    await run("cloonix_ssh NET p 'ping -c 1 -W 2 10.94.1.9'");
    await run("echo from the host > note && cloonix_scp NET note p:/tmp/ && cloonix_scp NET p:/tmp/note back");
    expect(readFileSync(join(cloonix.site.folder, "back"), "utf8")).toBe("from the host\n");
    expect(await run("cloonix_cli NET lst")).toContain("add pod p eth=sv busybox");
    expect(await run("cloonix_ovs NET list-ports _b_lan1")).toMatch(/^s_k_\d+_0$/m);
    expect(await run("podman ps --format '{{.Names}}'")).toBe(`cloonix-${NET}_p\n`);
    await run("cloonix_cli NET del pod p");
    expect(await run("podman ps --all --format '{{.Names}}'")).toBe("");
  });

  test("a cru is made of what podman saves, in each of its forms, as its image says that it is run", async () => {
    const root = await busyboxTar();
    await using _root = root.folder;
    const said = ["ENV KEPT=yes", "USER nobody", "WORKDIR /tmp", 'ENTRYPOINT ["sleep"]', 'CMD ["7777"]'];
    await run(`podman import ${said.map((it) => `--change '${it}'`).join(" ")} ${root.tar} localhost/made:1`);
    await run("podman save --format docker-archive -o docker.tar localhost/made:1");
    await run("podman save --format oci-archive -o oci.tar localhost/made:1");
    await run("podman save --format oci-dir -o layout localhost/made:1");
    for (const [n, image] of ["docker.tar", "oci.tar", "layout"].entries()) {
      await run(`cloonix_cli NET add cru c${n} eth=v ${image}`);
      const first = await run(
        `cloonix_ssh NET c${n} 'cat /proc/1/environ /proc/1/cmdline; id -un; readlink /proc/1/cwd'`,
      );
      expect(first.replaceAll("\0", " ")).toMatch(/KEPT=yes .*sleep 7777 nobody\n\/tmp\n$/);
      expect(await run("cloonix_cli NET lst")).toContain(`add cru c${n} eth=v ${cloonix.site.folder}/${image}\n`);
      await run(`cloonix_cli NET del cru c${n}`);
    }
    await run("head -c 300000 oci.tar > cut.tar");
    const refused = await cloonix.line(`cloonix_cli ${NET} add cru bad eth=v cut.tar`);
    expect(refused.stderr).toMatch(/runtime\.(image|archive)-bad/);
    expect(await run("cloonix_cli NET dmp")).not.toContain("bad");
  });

  test("zip and cvm are cru; a privileged one may do more", async () => {
    await run("cloonix_cli NET add zip z busybox '--customer_launch=sleep 7777'");
    await run("cloonix_cli NET add cvm v busybox '--customer_launch=sleep 7777' --privileged");
    const allowed = (node: string) => run(`cloonix_ssh NET ${node} 'grep CapEff /proc/self/status'`);
    expect(await allowed("v")).not.toBe(await allowed("z"));
    expect(await run("cloonix_cli NET lst")).toMatch(/add cru z busybox .*\n.*add cru v busybox .*--privileged/);
    const { stderr } = await cloonix.line(`cloonix_cli ${NET} add cru k busybox --persistent`);
    expect(stderr).toContain("--vmount=");
    expect(await run("echo 'echo typed $((40 + 2)); exit' | cloonix_shk NET z")).toContain("typed 42");
  });

  test("a NIC of the host is shared by a macvlan", async () => {
    await run(
      `ip link add ${NIC} up type veth peer name ${NIC}p && ip link set ${NIC}p up && ip addr add 10.94.2.1/24 dev ${NIC}p`,
    );
    try {
      await run("cloonix_cli NET add cru m eth=v busybox '--customer_launch=sleep 7777'");
      await run(
        `cloonix_cli NET add phy ${NIC} macvlan out && cloonix_cli NET add lan out 0 lan2 && cloonix_cli NET add lan m 0 lan2`,
      );
      await run("cloonix_ssh NET m 'ip addr add 10.94.2.2/24 dev eth0; ping -c 1 -w 10 10.94.2.1'");
      expect(await run("cloonix_cli NET lst")).toContain(`add phy ${NIC} macvlan out\n`);
      await run("cloonix_cli NET del phy out && cloonix_cli NET del cru m");
    } finally {
      await run(`ip link delete ${NIC}`);
    }
  });

  test("a nat of both families is a way out, and listed so", async () => {
    await run("cloonix_cli NET add nat out cidr=10.94.3.0/24,fd94:3::/64 && cloonix_cli NET add lan out 0 lan3");
    expect(await run("cloonix_cli NET lst")).toContain("add nat out cidr=10.94.3.0/24,fd94:3::/64\n");
    await run(
      "cloonix_cli NET add cru n eth=v busybox '--customer_launch=sleep 7777' && cloonix_cli NET add lan n 0 lan3",
    );
    await run(
      "cloonix_ssh NET n 'i=0; until ping -c 1 -W 1 fd94:3::1; do i=$((i+1)); [ $i -lt 40 ] || exit 1; sleep 0.3; done'",
    );
    await run("cloonix_cli NET del sat n && cloonix_cli NET del nat out");
  });

  test("what there is, and where it is kept, is told", async () => {
    expect(await run("cloonix_cli NET dcf")).toMatch(new RegExp(`^namespace: cloonix_${NET}$`, "m"));
    expect(await run("cloonix_cli NET sub endp other 0")).toContain("_k_1_0");
    expect(await run("cloonix_cli NET sub sys other")).toMatch(/load average|Mem/);
    expect(await run("cloonix_cli NET pid")).toMatch(/other +container\/oci +running/);
    expect(await run("cloonix_cli")).toContain(`${NET}: running`);
  });
});
