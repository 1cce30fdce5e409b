import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { temporaryFolder } from "./folder.ts";
import { differences, expectSameMachine, type Machine, snapshotMachine } from "./machine.ts";

const empty: Machine = {
  links: new Set(["lo"]),
  namespaces: new Set(),
  mounts: new Set(["/"]),
  processes: new Set(["1@0 init"]),
  files: new Set(),
  cgroups: new Set(),
  nftTables: new Set(),
  switchRows: new Set(),
};

describe("the machine before and after", () => {
  test("names what was left behind and what is gone", () => {
    const after = { ...empty, links: new Set(["eth0"]), namespaces: new Set(["yard_a"]) };
    expect(differences(empty, after)).toEqual([
      { kind: "links", what: "left behind", entry: "eth0" },
      { kind: "links", what: "gone", entry: "lo" },
      { kind: "namespaces", what: "left behind", entry: "yard_a" },
    ]);
  });

  test("beside others, only what is ours counts", () => {
    const after = { ...empty, namespaces: new Set(["tours_1", "theirs_1"]) };
    expect(differences(empty, after, /^tours_/).map(({ entry }) => entry)).toEqual(["tours_1"]);
  });

  test("a process that is none of ours may start and end, a switch may not stay", () => {
    const after = { ...empty, processes: new Set(["5@9 cron -f", "6@9 ovs-vswitchd unix:/tmp/x/db.sock"]) };
    expect(differences(empty, after).map(({ entry }) => entry)).toEqual(["6@9 ovs-vswitchd unix:/tmp/x/db.sock"]);
  });

  test("a folder left in /tmp is found, and gone again is no difference", async () => {
    const options = { ours: /symachine-/, timeout: 0 };
    const before = await snapshotMachine();
    {
      await using folder = await temporaryFolder("symachine-");
      writeFileSync(`${folder.path}/a`, "");
      expect(expectSameMachine(before, options)).rejects.toThrow(`${folder.path} (left behind)`);
      await expectSameMachine(before, options).catch(() => {});
    }
    await expectSameMachine(before, options);
  });
});
