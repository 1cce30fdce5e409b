import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine, YARD_COMMAND } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const pair = (name: string, network: string) => `name: ${name}
networks: { ${network}: { cidr: 10.7.0.0/24 } }
nodes: { ${name}: { kind: netns, count: 2, nics: [${network}] } }
checks: [ { ping: { from: ${name}-1, to: ${name}-2 } } ]
`;

describe("wrong usage and bad files", () => {
  let site: Site;
  const yard = yardName();
  beforeAll(async () => {
    site = await createSite();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  test("wrong usage ends with 2 and says what would be right", async () => {
    expect(await site.yard(yard, ["upp"])).toMatchObject({ code: 2, stdout: "" });
    const { code, stderr } = await site.yard(yard, ["ps", "--jsn", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr).errors[0]).toMatchObject({ code: "usage.wrong" });
  });

  test("no lab file, and several, are errors that say so", async () => {
    expect((await site.yard(yard, ["up"])).stderr).toContain("[lab.file-missing]");
    site.write("two/a.yard.yaml", "name: a\n");
    expect((await site.yard(yard, ["up", "nope.yard.yaml"])).stderr).toContain("there is no such file");
  });

  test("a bad file gets all its errors at once with place and caret, and nothing is started", async () => {
    site.write(
      "bad.yard.yaml",
      "name: bad\nnetworks: { lan01: {} }\nnodes:\n  a: { kind: netns, nics: [lan1] }\n  b: { kind: netnss }\n",
    );
    const { code, stderr } = await site.yard(yard, ["up", "bad.yard.yaml"]);
    expect(code).toBe(1);
    expect(stderr).toContain("--> bad.yard.yaml:4:28\n  4 |   a: { kind: netns, nics: [lan1] }");
    expect(stderr).toContain('did you mean "lan01"?');
    expect(stderr).toContain("--> bad.yard.yaml:5:");
    expect(stderr).toContain("2 errors");
    const json = await site.yard(yard, ["up", "bad.yard.yaml", "--json"]);
    expect(JSON.parse(json.stderr).errors).toHaveLength(2);
    expect(existsSync(join(dirname(site.folder), "run"))).toBe(false);
  });

  test("without a running yard there is nothing to inspect, and nothing to take down", async () => {
    const { code, stderr } = await site.yard(yard, ["inspect", "web"]);
    expect(code).toBe(1);
    expect(stderr).toContain("[yard.not-running]");
    expect(await site.yard(yard, ["down"])).toMatchObject({ code: 0 });
  });

  test("output that has no room is told, and is a failure", async () => {
    const [program, ...args] = YARD_COMMAND;
    const help = await tryRun(["bash", "-c", '"$@" >/dev/full', "bash", program, ...args, "help"]);
    expect(help).toMatchObject({ code: 1, stderr: expect.stringContaining("[output.unwritable]") });
  });

  test("a reader that has seen enough is no failure", async () => {
    const [program, ...args] = YARD_COMMAND;
    const first = await tryRun(["bash", "-o", "pipefail", "-c", '"$@" | head -1', "bash", program, ...args, "help"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
  });
});

const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "ping");

describe.skipIf(!able)("bad days", () => {
  const yard = yardName();
  const other = yardName();
  let before: Machine;
  let site: Site;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|${other}`) });
  });

  test("what fails is named, the rest is up, and it stays declared", async () => {
    site.write(
      "half.yard.yaml",
      `name: half
networks: { lan: { cidr: 10.6.0.0/24 } }
nodes:
  good: { kind: netns, nics: [lan] }
  bad: { kind: container, runtime: oci, image: absent, nics: [lan] }
checks: [ { ping: { from: good, to: bad } } ]
`,
    );
    const up = await site.yard(yard, ["up", "half.yard.yaml"]);
    expect(up.code).toBe(1);
    expect(up.stderr).toContain("error: node bad: the image absent");
    expect(up.stderr).toContain("[runtime.image-absent]");
    expect(up.stderr).toContain("it stays declared");
    const { nodes } = JSON.parse((await site.yard(yard, ["ps", "--json"])).stdout);
    expect(nodes).toMatchObject([
      { name: "good", state: "running" },
      { name: "bad", state: "failed" },
    ]);
    for (const verb of [
      ["exec", "bad", "--", "ls"],
      ["logs", "bad"],
    ]) {
      const { stderr } = await site.yard(yard, verb);
      expect(stderr).toContain("node bad is failed: the image absent");
      expect(stderr).toContain("[node.not-running]");
    }
    expect((await site.yard(yard, ["down", "half.yard.yaml"])).code).toBe(0);
  });

  test("folders that cannot be a yard's are named", async () => {
    const file = site.write("pair.yard.yaml", pair("pair", "lan"));
    const fails = async (env: Record<string, string>) => (await site.yard(other, ["up", file], { env })).stderr;
    expect(await fails({ SWITCHYARD_STATE_DIR: "state" })).toContain("not an absolute path [yard.bad-folder]");
    expect(await fails({ SWITCHYARD_RUN_DIR: `/tmp/${"r".repeat(100)}` })).toContain("too long for a socket");
    expect(await fails({ SWITCHYARD_RUN_DIR: file })).toContain("[yard.folder-failed]");
    expect(await fails({ SWITCHYARD_STATE_DIR: `${file}/below` })).toContain("[yard.folder-failed]");
    expect((await site.yard(other, ["down", "--all"])).code).toBe(0);
  });

  test("a check that does not come out as expected ends with 1, and the report tells it", async () => {
    site.write("pair.yard.yaml", pair("pair", "lan").replace("to: pair-2 }", "to: 10.7.0.99 }, timeout: 0.3"));
    const up = await site.yard(yard, ["up", "pair.yard.yaml", "--check"]);
    expect(up.stdout).toContain("no reply from 10.7.0.99");
    expect(up.stdout).toContain("0 of 1 check as expected");
    expect(up.code).toBe(1);
    expect((await site.yard(yard, ["down", "pair.yard.yaml"])).code).toBe(0);
    expect((await site.yard(yard, ["check", "pair.yard.yaml"])).stderr).toContain("[lab.not-up]");
  });

  test("two yards side by side never see each other, though their labs are the same", async () => {
    site.write("twin.yard.yaml", pair("twin", "lan"));
    const ups = await Promise.all([yard, other].map((name) => site.yard(name, ["up", "twin.yard.yaml", "--check"])));
    for (const { code, stdout } of ups) {
      expect(stdout).toContain("1 of 1 check as expected");
      expect(code).toBe(0);
    }
    expect((await site.yard(yard, ["rm", "twin-2"])).code).toBe(0);
    expect((await site.yard(yard, ["ps", "-q"])).stdout).toBe("twin-1\n");
    expect((await site.yard(other, ["ps", "-q"])).stdout).toBe("twin-1\ntwin-2\n");
    expect((await site.yard(other, ["check"])).code).toBe(0);
    expect((await site.yard(other, ["down", "--all"])).code).toBe(0);
    expect((await site.yard(yard, ["ps", "-q"])).stdout).toBe("twin-1\n");
    expect((await site.yard(yard, ["down"])).code).toBe(0);
  });

  test("a lab that another program writes into a pipe is brought up, by an agent that is started for it, too", async () => {
    const [program, ...args] = site.argv(yard, ["up"]);
    const text = pair("piped", "lan");
    for (let round = 0; round < 2; round++) {
      const up = await tryRun(["bash", "-c", '"$@" <(printf %s "$LAB")', "bash", program ?? "", ...args], {
        env: { ...site.env, LAB: text },
        cwd: site.folder,
      });
      expect(up).toMatchObject({ code: 0, stderr: "" });
      expect((await site.yard(yard, ["down", ...(round === 0 ? ["--all"] : [])])).code).toBe(0);
    }
  });

  test("two `up` at once both end well", async () => {
    site.write("race.yard.yaml", pair("race", "lan"));
    const ups = await Promise.all([1, 2].map(() => site.yard(yard, ["up", "race.yard.yaml"])));
    expect(ups.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
    ]);
    expect((await site.yard(yard, ["ps", "-q"])).stdout).toBe("race-1\nrace-2\n");
    expect((await site.yard(yard, ["down"])).code).toBe(0);
  });

  test("a lab can be taken down by its file though the file is broken since", async () => {
    site.write("gone.yard.yaml", pair("gone", "lan"));
    expect((await site.yard(yard, ["up", "gone.yard.yaml"])).code).toBe(0);
    site.write("gone.yard.yaml", "name: [");
    expect((await site.yard(yard, ["down", "gone.yard.yaml"])).stdout).toContain("1 network, 2 nodes removed");
  });

  test("who is not root is told the command to run", async () => {
    const [program, ...args] = YARD_COMMAND;
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] as const;
    const env = { PATH: process.env.PATH ?? "", SWITCHYARD_RUN_DIR: join(dirname(site.folder), "run") };
    const plan = await tryRun([...nobody, program, ...args, "-y", yard, "pingall"], { env });
    expect(plan.code).toBe(1);
    expect(plan.stderr).toContain(`run: sudo yard -y ${yard} pingall`);
  });
});
