import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import type { CloonixCommand } from "./command.ts";
import { parseCommand } from "./parse.ts";

/** A line as a shell splits it, quotes and all. */
function parse(line: string): CloonixCommand {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
  return parseCommand(words, "/nowhere");
}

function refusal(line: string): string {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof YardError) return error.code;
    throw error;
  }
  return "none";
}

describe("a command of cloonix's", () => {
  test("adds a machine with interfaces that are plugged into nothing yet", () => {
    expect(parse("add kvm Cloon1 ram=2000 cpu=2 eth=sv bookworm.qcow2")).toEqual({
      do: "add",
      name: "Cloon1",
      node: {
        kind: "vm",
        image: "bookworm.qcow2",
        memory: "2000M",
        cpus: 2,
        nics: [{ network: "none", spy: true }, { network: "none" }],
      },
    });
  });

  test("adds one with all that may be said of it, in any order", () => {
    const words = "--added_disk=b --no_reboot ram=64 x --added_cdrom=c --install_cdrom=i cpu=1 eth=v --no_qemu_ga";
    expect(parse(`add kvm m ${words} --persistent --natplug=0 --mac_addr=eth0:02:00:00:00:00:01`)).toMatchObject({
      natplug: 0,
      node: {
        ...{ image: "x", persistent: true, disks: ["b"], iso: ["i", "c"], reboot: "end", guest_agent: false },
        nics: [{ network: "none", mac: "02:00:00:00:00:01" }],
      },
    });
  });

  test.each([
    ["cru", "oci"],
    ["doc", "docker"],
    ["pod", "podman"],
  ])("adds a %s as a container of %s", (item, runtime) => {
    expect(
      parse(`add ${item} c eth=s busybox '--startup_env=A=b C=d=e' '--vmount=/a:/b /c:/d' '--customer_launch=a; b'`),
    ).toMatchObject({
      node: {
        ...{ kind: "container", runtime, image: "busybox", command: ["/bin/sh", "-c", "a; b"] },
        ...{ env: { A: "b", C: "d=e" }, binds: ["/a:/b", "/c:/d"], nics: [{ network: "none", spy: true }] },
      },
    });
  });

  test("sets one way of an a2b, in cloonix's units", () => {
    const set = (text: string) => parse(`cnf a2b wan '${text}'`);
    expect(set("dir=0 cmd=loss val=10000")).toMatchObject({ dir: 0, setting: "loss", value: "100%" });
    expect(set("dir=1 cmd=delay val=20")).toMatchObject({ dir: 1, setting: "delay", value: "20ms" });
    expect(set("dir=0 cmd=rate val=1000")).toMatchObject({ setting: "rate", value: "8000kbit" });
    expect(set("dir=0 cmd=rate val=0")).toMatchObject({ setting: "rate", value: "none" });
    expect(set("dir=0 cmd=qsize val=64")).toMatchObject({ setting: "queue", value: "64kB" });
    expect(parse("cnf a2b wan dir=0 cmd=jitter val=2")).toMatchObject({ setting: "jitter", value: "2ms" });
    expect(parse("cnf a2b wan")).toEqual({ do: "impairment", name: "wan" });
  });

  test("plugs, pulls out, spies, deletes, asks and saves", () => {
    expect(parse("add lan a 0 lan1.0.1")).toEqual({ do: "plug", item: "a", num: 0, lan: "lan1.0.1" });
    expect(parse("del lan a 0 l")).toEqual({ do: "unplug", item: "a", num: 0, lan: "l" });
    expect(parse("snf a 1 0")).toEqual({ do: "spy", item: "a", num: 1, on: false });
    expect(parse("del sat a")).toEqual({ do: "delete", name: "a", item: undefined });
    expect(parse("del kvm a")).toEqual({ do: "delete", name: "a", item: "kvm" });
    expect(parse("cnf nat n whatip=vm")).toEqual({ do: "lease", nat: "n", node: "vm" });
    expect(parse("cnf lan l rstp")).toEqual({ do: "rstp", lan: "l", on: true });
    expect(parse("cnf lan l rstp 0")).toEqual({ do: "rstp", lan: "l", on: false });
    expect(parse("sav vm copy.qcow2")).toEqual({ do: "yard", argv: ["save", "vm", "copy.qcow2"], ok: "OK vm" });
    expect(parse("add c2c far fido")).toMatchObject({ node: { kind: "c2c", yard: "cloonix-fido", nics: ["none"] } });
  });

  test("adds a NIC of the host, under its name or another", () => {
    const node = { kind: "phy", parent: "eth1", nics: ["none"] };
    expect(parse("add phy eth1 absorb")).toEqual({ do: "add", name: "eth1", node: { ...node, mode: "absorb" } });
    expect(parse("add phy eth1 macvlan out")).toMatchObject({ name: "out", node: { ...node, mode: "macvlan" } });
    expect(refusal("add phy eth1")).toBe("cloonix.bad-word");
    expect(refusal("add phy eth1 borrow")).toBe("cloonix.bad-word");
  });

  test.each([
    ...["", "frobnicate", "add", "add vm x", "add kvm", "add kvm x cpu=1 i", "add kvm x ram=a cpu=1 i"],
    ...["add kvm x ram=64 cpu=1", "add kvm x ram=64 cpu=1 i j", "add kvm x ram=64 cpu=1 i --9p_share=/x"],
    ...["add kvm x ram=64 cpu=1 eth=sd i", "add kvm x ram=64 cpu=1 eth=s i --mac_addr=eth1:02:00:00:00:00:01"],
    ...["add kvm x ram=64 cpu=1 eth=s i --natplug=1", "add cru x", "add cru x i --ram=5", "add tap x y"],
    ...["add lan x", "add lan x 0", "add lan x y l", "add lan x 0 l m", "del", "del x", "del sat", "snf x 0 2"],
    ...["cnf a2b w dir=2 cmd=loss val=1", "cnf a2b w dir=0 cmd=nonsense val=1", "cnf a2b w dir=0 cmd=loss val=-1"],
    ...["cnf a2b w cmd=loss val=1", "cnf a2b w dir=0 cmd=loss val=1 more=2", "cnf nat n", "sav x", "lst all"],
  ])("is refused as a wrong one: %s", (line) => {
    expect(refusal(line)).toBe("cloonix.bad-word");
  });

  test.each([
    ...["add kvm x ram=64 cpu=1 i --vwifi=1", "add kvm x ram=64 cpu=1 i --with_pxe", "add cru x i --persistent"],
    ...["cnf lay stop", "cnf a2b w dir=0 cmd=bsize val=1", "cnf a2b w 'dir=0 replace_ipsrc a with b'"],
    ...["lay", "evt", "hop"],
  ])("is told to be left out: %s", (line) => {
    expect(refusal(line)).toBe("cloonix.left-out");
  });
});
