import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectSameMachine, type Machine, requires, sitDown, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "runc", "conmon", "busybox");

describe.skipIf(!able)("on a terminal", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    site.write(
      "tty.yard.yaml",
      `name: tty
networks: { lan: { cidr: 10.9.0.0/24 } }
nodes:
  box: { kind: container, runtime: oci, image: busybox, command: [sleep, "100000"], nics: [lan] }
  ns: { kind: netns, nics: [lan] }
`,
    );
    expect(await site.yard(yard, ["up"])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  const start = (...argv: readonly string[]) => sitDown(site.argv(yard, argv), site.env, site.folder);

  for (const node of ["box", "ns"])
    test(`a shell in ${node} has the terminal's size, follows it, and gets every key`, async () => {
      await using person = start("exec", "-it", node, "--", "sh");
      person.type("stty size; tty\n");
      await person.sees("33 91");
      await person.sees("/dev/pts/");
      person.resize(120, 40);
      // The new size comes by a signal, after which the shell may have read the line already.
      person.type("until stty size | grep -q '40 120'; do sleep 0.05; done; echo fits $((40 + 1))\n");
      await person.sees("fits 41");
      person.type("sh -c 'echo asleep $((1 + 1)); exec sleep 1000'\n");
      await person.sees("asleep 2");
      // Ctrl-C ends the sleep, not the shell, and not us.
      person.type("\x03");
      person.type("echo still here $((40 + 2))\n");
      await person.sees("still here 42");
      person.type("exit 5\n");
      expect(await person.ended).toBe(5);
    });

  test("shell opens one without more ado", async () => {
    await using person = start("shell", "box");
    person.type("echo on $(hostname)\n");
    await person.sees("on box");
    person.type("\x04");
    expect(await person.ended).toBe(0);
  });

  test("ps is coloured, unless NO_COLOR says otherwise", async () => {
    await using coloured = start("ps");
    await coloured.sees("\x1b[32mrunning\x1b[39m");
    await coloured.ended;
    await using plain = sitDown(site.argv(yard, ["ps"]), { ...site.env, NO_COLOR: "1" }, site.folder);
    await plain.sees("running  lan");
    await plain.ended;
  });

  test("up draws its progress on one line, and wipes it", async () => {
    site.write("more.yard.yaml", "name: more\nnodes: { more: { kind: netns, count: 3, exec: [[sleep, '0.3']] } }\n");
    await using person = start("up", "more.yard.yaml");
    await person.sees("\r\x1b[2Kup more");
    await person.sees("/3");
    await person.sees("\r\x1b[2K");
    await person.sees("3 nodes added");
    expect(await person.ended).toBe(0);
  });
});
