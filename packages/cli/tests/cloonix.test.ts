import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NAMES } from "@switchyard/doors/cloonix";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CloonixSite, createCloonixSite, executable } from "./cloonix-site.ts";

setDefaultTimeout(60_000);

/** The documentation's `nemo`, but for who else is on this machine. */
const NET = `nemo${process.pid}`;
const able = requires("root", "openvswitch", "qemu", "busybox", "iproute2");

/** What `ovs-vsctl show` prints as bridges with their ports and the type of their interfaces; their order has no meaning. */
function shown(text: string) {
  const bridges: Record<string, Record<string, string>> = {};
  let bridge: Record<string, string> = {};
  let port = "";
  for (const line of text.split("\n").map((it) => it.trim())) {
    const [word = "", value = ""] = line.split(/:? /);
    switch (word) {
      case "Bridge":
        bridge = bridges[value] = {};
        break;
      case "Port":
        port = value;
        break;
      case "Interface":
        expect(value).toBe(port);
        bridge[port] = "";
        break;
      case "type":
        bridge[port] = value;
        break;
      case "datapath_type":
      case "":
        break;
      default:
        // The first line is the database's identity.
        if (!/^[0-9a-f-]{36}$/.test(word)) throw new Error(`unexpected: ${line}`);
    }
  }
  return bridges;
}

describe.skipIf(!able)("the session of cloonix's documentation", () => {
  let before: Machine;
  let cloonix: CloonixSite;
  const run = (line: string) => cloonix.said(line.replaceAll("nemo", NET));

  beforeAll(async () => {
    before = await snapshotMachine();
    cloonix = await createCloonixSite(NET);
    // An image in the caller's folder.
    await cloonix.said("qemu-img create -q -f qcow2 bookworm.qcow2 16M");
  });
  afterAll(async () => {
    await cloonix[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(NET) });
  });

  test("its commands are taken as they are", async () => {
    expect(await run("cloonix_net nemo")).toBe("UML_CLOONIX_SWITCH NOW RUNNING\n");
    await run("cloonix_cli nemo add kvm Cloon1 ram=2000 cpu=2 eth=sss bookworm.qcow2");
    await run("cloonix_cli nemo add kvm Cloon2 ram=2000 cpu=2 eth=sss bookworm.qcow2");
    await run("cloonix_cli nemo add lan Cloon2 0 lan01");
    await run("cloonix_cli nemo add lan Cloon1 0 lan01");
  });

  test("the switch shows the ports that it shows", async () => {
    const documented = `
099c0660-6111-4b0f-b3fc-6dae7138bf19
    Bridge _b_lan01
        Port s_k_2_0
            Interface s_k_2_0
        Port _b_lan01
            Interface _b_lan01
                type: internal
        Port _k_2_0
            Interface _k_2_0
        Port s_k_1_0
            Interface s_k_1_0
        Port _k_1_0
            Interface _k_1_0
`;
    expect(shown(await run("cloonix_ovs nemo show"))).toEqual(shown(documented));
  });

  test("its namespace has the interfaces, those too that are on no lan yet", async () => {
    expect(await run("ip netns list")).toMatch(new RegExp(`^cloonix_${NET}\\b`, "m"));
    const addr = await run("ip netns exec cloonix_nemo ip addr");
    const names = [...addr.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name);
    for (const n of [0, 1, 2]) expect(names).toContain(`_k_1_${n}`);
    for (const name of ["_b_lan01", "_k_2_0", "s_k_1_0", "s_k_2_0"]) expect(names).toContain(name);
    expect(names).not.toContain("s_k_1_1");
  });

  test("a machine whose guest talks is entered, copied to, typed to, saved and reset", async () => {
    const { kernel, initrd } = await ensureGuest();
    const boot = `--kernel ${kernel} --initrd ${initrd} --append 'console=ttyS0 quiet' -m 160M`;
    await run(`'${executable}' -y cloonix-nemo add vm inner --image bookworm.qcow2 ${boot} -n none`);
    await run("cloonix_cli nemo add lan inner 0 lan01");
    // As cloonix's own scripts wait for a machine.
    await run("until cloonix_ssh nemo inner true 2>/dev/null; do sleep 0.3; done");
    expect(await run("cloonix_ssh nemo inner 'echo $((20 + 3))'")).toBe("23\n");
    await run("mkdir -p files && echo from the host > files/note && cloonix_scp nemo -r files inner:/tmp/files");
    expect(await run("cloonix_ssh nemo inner cat /tmp/files/note")).toBe("from the host\n");
    await run("echo 'echo typed > /tmp/typed' | cloonix_shk nemo inner");
    await run("until cloonix_ssh nemo inner cat /tmp/typed; do sleep 0.1; done");
    expect(await run("cloonix_cli nemo sav inner saved.qcow2")).toBe("OK inner\n");
    expect(await run("qemu-img info saved.qcow2")).not.toContain("backing file");
    expect(await run("cloonix_cli nemo cnf kvm reboot inner")).toBe("OK inner\n");
    expect(await run("cloonix_cli nemo lst")).toContain("# inner is more than these commands can say\n");
    await run("cloonix_cli nemo del sat inner");
  });

  test("the commands are put in place and taken away, and nobody else's files with them", async () => {
    const yard = (words: string) => cloonix.line(`'${executable}' cloonix ${words}`);
    const { stdout } = await yard("install here");
    expect(stdout.trim().split("\n")).toHaveLength(NAMES.length);
    expect(await cloonix.said("here/cloonix_cli")).toContain("cloonix_cli <net> <command>");
    expect(await yard("install here")).toMatchObject({ code: 0 });
    await yard("uninstall here");
    expect(await cloonix.said("ls here")).toBe("");
    await cloonix.said("touch here/cloonix_net");
    expect(await yard("install here")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cloonix.name-taken"),
    });
    expect(await cloonix.said("ls here")).toBe("cloonix_net\n");
  });
});
