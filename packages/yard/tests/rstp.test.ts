import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const NAME = `trstp${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "ping", "iproute2"))("lans that are joined in a ring", () => {
  const lab = (rstp: boolean) => `
name: ring
networks: { left: { rstp: ${rstp} }, right: { rstp: ${rstp} } }
nodes:
  a: { kind: netns, nics: [ { network: left, ip: 10.91.3.1/24 } ] }
  b: { kind: netns, nics: [ { network: right, ip: 10.91.3.2/24 } ] }
  one: { kind: a2b, nics: [left, right] }
  two: { kind: a2b, nics: [left, right] }
`;

  test("do without one of the two ways where they speak RSTP, and stop when they are told to", async () => {
    const before = await snapshotMachine();
    {
      await using yard = await LiveYard.create(NAME);
      const vsctl = (...argv: string[]) => run(["ovs-vsctl", `--db=unix:${yard.paths.databaseSocket}`, ...argv]);
      expect((await yard.up(lab(true))).failures).toEqual([]);
      expect(await yard.comesToReach("a", "10.91.3.2")).toBe(true);
      const roles = await vsctl("--bare", "--columns=rstp_status", "list", "Port");
      expect(roles.match(/rstp_port_role=(Alternate|Backup)/g)).toHaveLength(1);
      expect(await yard.plan(lab(true))).toEqual([]);
      // Somebody's own hand is put right.
      await vsctl("set", "Bridge", "_b_left", "rstp_enable=false");
      expect((await yard.up(lab(true))).failures).toEqual([]);
      expect(await vsctl("get", "Bridge", "_b_left", "rstp_enable")).toBe("true\n");
      expect((await yard.up("name: ring\nnetworks: { left: {}, right: {} }\nnodes: {}\n")).failures).toEqual([]);
      expect(await vsctl("get", "Bridge", "_b_left", "rstp_enable")).toBe("false\n");
    }
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });
});
