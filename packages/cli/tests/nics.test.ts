import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "ping", "iproute2", "dnsmasq", "nftables");

describe.skipIf(!able)("bridges and nics by command", () => {
  const yard = yardName();
  const id = process.pid;
  const [office, plant] = [`tc${id}o`, `tc${id}p`];
  /** A NIC of the host, and who is behind it. */
  const [nic, behind] = [`tc${id}n`, `${yard}-behind`];
  let before: Machine;
  let site: Site;
  const cli = (...argv: readonly string[]) => site.yard(yard, argv);
  const code = async (...argv: readonly string[]) => {
    const { code: exit, stderr } = await cli(...argv);
    return exit === 0 ? "done" : (/\[([a-z.-]+)\]/.exec(stderr)?.[1] ?? stderr);
  };
  const pings = async (node: string, to: string) =>
    (await cli("exec", node, "--", "ping", "-c1", "-W1", to)).code === 0;
  const bridges = async () => JSON.parse((await cli("bridge", "list", "--json")).stdout);
  const networks = async () => (await cli("ps", "--networks", "-q")).stdout.trim().split("\n");
  const vsctl = (...argv: readonly string[]) =>
    run(["ovs-vsctl", "--timeout=10", `--db=unix:${site.env.SWITCHYARD_RUN_DIR}/${yard}/db.sock`, ...argv]);

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // As /run is: dnsmasq reads its files as nobody.
    chmodSync(dirname(site.folder), 0o711);
    await run(["ip", "netns", "add", behind]);
    await run(["ip", "link", "add", nic, "up", "type", "veth", "peer", "name", "eth0", "netns", behind]);
    await run(["ip", "-n", behind, "address", "add", "10.88.3.254/24", "dev", "eth0"]);
    await run(["ip", "-n", behind, "link", "set", "eth0", "up"]);
    expect(
      await cli("add", "container", "c1", "--runtime", "oci", "--image", "busybox", "--", "sleep", "inf"),
    ).toMatchObject({ code: 0 });
    expect(await code("add", "netns", "n1")).toBe("done");
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await run(["ip", "netns", "delete", behind]);
    await expectSameMachine(before, { ours: new RegExp(`${yard}|tc${id}`) });
  });

  test("a bridge is created, listed, refused a second time, deleted, and then it is not there", async () => {
    expect(await bridges()).toEqual([]);
    const created = ["bridge", "create", plant, "--hwaddr", "02:00:00:88:00:01", "--mode", "static", "--cidr"];
    expect(await code(...created, "10.88.2.1/24")).toBe("done");
    expect(await bridges()).toMatchObject([
      { name: plant, mac: "02:00:00:88:00:01", mode: "static", cidr: "10.88.2.1/24", nics: [], state: "up" },
    ]);
    expect(await run(["ip", "link", "show", plant])).toContain("02:00:00:88:00:01");
    expect(await code(...created, "10.88.2.1/24")).toBe("bridge.name-taken");
    expect(await code("bridge", "create", `${plant}2`, "--mode", "static", "--cidr", "10.88.2.9/24")).toBe(
      "bridge.overlaps-host",
    );
    expect(await code("bridge", "create", `${plant}2`, "--mode", "static", "--cidr", "10.88.9.1")).toBe(
      "bridge.bad-cidr",
    );
    expect(await code("bridge", "create", `${plant}2`, "--hwaddr", "02:00:00")).toBe("address.bad-mac");
    expect(await code("bridge", "delete", plant)).toBe("done");
    expect(await bridges()).toEqual([]);
    expect(await code("bridge", "delete", plant)).toBe("bridge.unknown");
    expect((await tryRun(["ip", "link", "show", plant])).code).not.toBe(0);
  });

  test("containers lease addresses in a bridge's range, one of them the one that is kept, and reach each other", async () => {
    const range = ["--start", "10.88.1.10", "--end", "10.88.1.20"];
    expect(await code("bridge", "create", office, "--mode", "dnsmasq", "--cidr", "10.88.1.1/24", ...range)).toBe(
      "done",
    );
    expect(await code("bridge", "host-add", office, "10.88.1.77", "02:00:00:88:00:02")).toBe("done");
    expect(await code("nic", "add", "c1", "--type", "bridge", "--id", office, "--dhcp")).toBe("done");
    const kept = ["--hwaddr", "02:00:00:88:00:02", "--name", "lan"];
    expect(await code("nic", "add", "n1", "--type", "bridge", "--id", office, "--dhcp", ...kept)).toBe("done");
    expect(await networks()).toEqual([`bridge:${office}`]);
    const [one] = JSON.parse((await cli("inspect", "c1", "--json")).stdout);
    expect(one.nics).toMatchObject([{ name: "eth0", bridge: office, state: "up" }]);
    const shown = (await cli("exec", "c1", "--", "ip", "-4", "address", "show", "dev", "eth0")).stdout;
    expect(shown).toMatch(/inet 10\.88\.1\.(1\d|20)\/24/);
    expect(await pings("c1", "10.88.1.77")).toBe(true);
    expect(await pings("n1", "10.88.1.1")).toBe(true);
    expect(await code("bridge", "delete", office)).toBe("bridge.in-use");
    expect(await code("nic", "rm", "n1", "lan")).toBe("done");
    expect(await code("nic", "rm", "c1:eth0")).toBe("done");
    expect(await networks()).toEqual([""]);
    expect(await code("bridge", "delete", office)).toBe("done");
  });

  test("a bridge's NICs are listed; one more is there until it is removed", async () => {
    expect(await code("bridge", "create", plant)).toBe("done");
    expect((await bridges())[0].nics).toEqual([]);
    expect(await code("bridge", "nic-add", plant, nic)).toBe("done");
    expect((await bridges())[0].nics).toEqual([nic]);
    expect((await cli("bridge", "list")).stdout).toMatch(new RegExp(`${plant} +none +${nic} +up`));
    expect(await code("nic", "add", "c1", "--type", "bridge", "--id", plant, "--cidr", "10.88.3.1/24")).toBe("done");
    expect(await pings("c1", "10.88.3.254")).toBe(true);
    expect(await code("nic", "rm", "c1", "eth0")).toBe("done");
    expect(await code("bridge", "nic-remove", plant, nic)).toBe("done");
    expect((await bridges())[0].nics).toEqual([]);
    expect(await code("bridge", "delete", plant)).toBe("done");
  });

  test("VLANs by tag: those of one tag reach each other, made on demand and gone with the last nic", async () => {
    const vlan = (node: string, tag: string, ip: string) =>
      code("nic", "add", node, "--type", "vlan", "--id", tag, "--cidr", ip, "--gw", "10.88.4.254");
    expect(await vlan("c1", "100", "10.88.4.1/24")).toBe("switch.no-bridge");
    expect(await networks()).toEqual([""]);
    expect((await cli("exec", "c1", "--", "ip", "link", "show", "eth0")).code).not.toBe(0);
    const lab = 'name: tags\nnodes: { t: { kind: netns, nics: [ { type: vlan, id: "100" } ] } }\n';
    expect(await code("up", site.write("tags.yard.yaml", lab))).toBe("switch.no-bridge");
    expect(await code("down", "tags.yard.yaml")).toBe("done");
    await vsctl("add-br", "backplane", "--", "set", "Bridge", "backplane", "datapath_type=netdev");
    expect(await vlan("c1", "100", "10.88.4.1/24")).toBe("done");
    expect(await vlan("n1", "100", "10.88.4.2/24")).toBe("done");
    expect(await pings("c1", "10.88.4.2")).toBe(true);
    expect((await cli("exec", "n1", "--", "ip", "route")).stdout).toContain("default via 10.88.4.254");
    const other = await cli("add", "netns", "n2", "--nic", "type=vlan,id=101,ip=10.88.4.3/24");
    expect(other).toMatchObject({ code: 0, stderr: "" });
    expect(await pings("n2", "10.88.4.1")).toBe(false);
    expect(await networks()).toEqual(["vlan:100", "vlan:101"]);
    expect(await code("rm", "n2")).toBe("done");
    expect(await code("nic", "rm", "c1", "eth0")).toBe("done");
    expect(await networks()).toEqual(["vlan:100"]);
    expect(await code("nic", "rm", "n1", "eth0")).toBe("done");
    expect(await vsctl("list-br")).toBe("backplane\n");
    expect(await vsctl("list-ports", "backplane")).toBe("");
  });

  test("macvlans and a NIC itself come and go at run time; what cannot be is withdrawn", async () => {
    for (const [node, ip] of [
      ["c1", "10.88.3.1/24"],
      ["n1", "10.88.3.2/24"],
    ] as const)
      expect(await code("nic", "add", node, "--type", "macvlan", "--id", nic, "--ip", ip)).toBe("done");
    expect(await pings("c1", "10.88.3.2")).toBe(true);
    expect(await pings("n1", "10.88.3.254")).toBe(true);
    expect(await code("nic", "add", "c1", "--type", "passthrough", "--id", nic)).toBe("network.parent-taken");
    for (const node of ["c1", "n1"]) expect(await code("nic", "rm", node, "eth0")).toBe("done");
    expect(await code("nic", "add", "c1", "--type", "passthrough", "--id", "tc-absent")).toBe("nic.parent-absent");
    expect(
      await code("nic", "add", "c1", "--type", "passthrough", "--id", nic, "--name", "wan", "--cidr", "10.88.3.5/24"),
    ).toBe("done");
    expect((await tryRun(["ip", "link", "show", nic])).code).not.toBe(0);
    expect(await pings("c1", "10.88.3.254")).toBe(true);
    expect(await code("nic", "add", "c1", "--type", "vlan", "--id", "5", "--name", "wan")).toBe("nic.name-taken");
    expect(await code("nic", "rm", "c1", "wan")).toBe("done");
    expect((await tryRun(["ip", "link", "show", nic])).code).toBe(0);
    expect(await networks()).toEqual([""]);
    expect(await code("add", "network", "street", "--type", "macvlan", "--parent", nic)).toBe("done");
    expect(await code("nic", "add", "n1", "--network", "street", "--cidr", "10.88.3.2/24")).toBe("done");
    expect(await pings("n1", "10.88.3.254")).toBe(true);
    for (const gone of ["nic rm n1 eth0", "rm street"]) expect(await code(...gone.split(" "))).toBe("done");
  });

  test("a bridge that somebody else made for a VLAN is left to them, and nics are on it by its name", async () => {
    expect(await code("ovs", "vlan-ensure", "backplane", "102")).toBe("done");
    const refused = await cli("nic", "add", "n1", "--type", "vlan", "--id", "102");
    expect(refused.stderr).toContain("[switch.name-taken]");
    expect(refused.stderr).toContain("by type bridge and id vlbr102");
    expect(await code("ovs", "vlan-ensure", "backplane", "103", "--name", "theirs")).toBe("done");
    expect((await cli("nic", "add", "n1", "--type", "vlan", "--id", "103")).stderr).toContain(
      "by type bridge and id theirs",
    );
    expect(await code("ovs", "bridge-del", "theirs")).toBe("done");
    expect(await code("nic", "add", "n1", "--type", "bridge", "--id", "vlbr102", "--cidr", "10.88.5.1/24")).toBe(
      "done",
    );
    expect(await code("nic", "rm", "n1", "eth0")).toBe("done");
    expect(await code("ovs", "bridge-del", "vlbr102")).toBe("done");
  });

  test("what contradicts itself is refused before anything is done", async () => {
    const add = (...more: readonly string[]) => code("nic", "add", "c1", ...more);
    expect(await add("--type", "vlan")).toBe("nic.bad-id");
    expect(await add("--type", "vlan", "--id", "4095")).toBe("nic.bad-id");
    expect(await add("--type", "vlan", "--id", "5", "--ip", "10.88.4.1/24", "--cidr", "10.88.4.2/24")).toBe(
      "nic.two-spellings",
    );
    expect(await add("--type", "vlan", "--id", "5", "--cidr", "10.88.4.1")).toBe("nic.prefix-missing");
    expect(await add("--network", "nowhere")).toBe("nic.network-unknown");
    expect((await cli("nic", "frob")).code).toBe(2);
    expect((await cli("bridge", "frob")).code).toBe(2);
  });
});
