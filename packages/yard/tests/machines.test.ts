import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
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

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "ping", "dnsmasq", "nftables"))(
  "virtual machines",
  () => {
    const name = `tvm${process.pid}`;
    let before: Machine;
    let guest: Guest;
    let yard: LiveYard;
    let engine: VmEngine;

    beforeAll(async () => {
      before = await snapshotMachine();
      guest = await ensureGuest();
      yard = await LiveYard.create(name);
      const { state: stateDir, run: runDir } = yard.paths;
      engine = await openVmEngine({ stateDir, runDir, log: createLogger("test", "silent") });
      await run(["qemu-img", "create", "-q", "-f", "qcow2", `${yard.folder}/base.qcow2`, "16M"]);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(`${name}|syguest`) });
    });

    const machine = (more: string) =>
      `kind: vm, image: base.qcow2, kernel: ${guest.kernel}, initrd: ${guest.initrd}, append: console=ttyS0 quiet media, memory: 160M, cloud_init: true, ${more}`;
    const lab = (nics: string, more = "") => `
name: machines
networks: { lan: { cidr: 10.86.1.0/24, gateway: 10.86.1.254 }, other: { cidr: 10.86.2.0/24 } }
nodes:
  host: { kind: netns, nics: [{ network: lan, ip: 10.86.1.1/24 }, other] }
  vm: { ${machine(`nics: [${nics}]`)}${more} }
`;
    const LAB = () => lab("{ network: lan, ip: 10.86.1.7/24 }");
    const inGuest = async (script: string) => {
      const screen = new Screen();
      const code = await engine.exec(`${name}_vm`, { command: ["/bin/sh", "-c", script], tty: false }, screen);
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${await screen.text()}`);
      return await screen.text();
    };

    test("come up with the address that the lab gives them, and speak with bare namespaces", async () => {
      expect((await yard.up(LAB())).failures).toEqual([]);
      expect(await yard.plan(LAB())).toEqual([]);
      expect(await yard.status("vm")).toMatchObject({ state: "running", namespace: undefined });
      await Screen.sees(engine, `${name}_vm`, "guest ready");
      expect(await yard.comesToReach("host", "10.86.1.7")).toBe(true);
      expect(await yard.comesToReach("host", "vm")).toBe(true);
      expect(await inGuest("hostname; ip route")).toContain("vm\ndefault via 10.86.1.254");
    });
  },
);
