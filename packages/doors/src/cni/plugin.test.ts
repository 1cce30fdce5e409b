import { describe, expect, test } from "bun:test";
import { runPlugin } from "./plugin.ts";

/** What needs neither a switch nor root. */
async function call(env: NodeJS.ProcessEnv, input = "") {
  const log: string[] = [];
  const answer = await runPlugin({ type: "ovs", env, input: async () => input, warn: (line) => void log.push(line) });
  return { ...answer, log, json: answer.output === "" ? undefined : JSON.parse(answer.output) };
}

const whole = { CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/none", CNI_IFNAME: "eth0", CNI_PATH: "/usr/lib/cni" };
const conf = (more = {}) => JSON.stringify({ cniVersion: "1.1.0", name: "n", type: "ovs", bridge: "br1", ...more });

describe("the plugin", () => {
  test("tells its versions whatever else it is called with", async () => {
    const supportedVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    const dummies = { CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy", CNI_CONTAINERID: "dummy" };
    for (const [input, cniVersion] of [
      ["", "1.1.0"],
      ["{", "1.1.0"],
      ['{"cniVersion":"0.4.0"}', "0.4.0"],
    ] as const)
      expect((await call({ CNI_COMMAND: "VERSION", ...dummies }, input)).json).toEqual({
        cniVersion,
        supportedVersions,
      });
  });

  test("called without a command says what it is, and does nothing", async () => {
    expect(await call({})).toMatchObject({ output: "", exitCode: 0, log: [expect.stringContaining("CNI plugin ovs")] });
  });

  test("answers each kind of wrong call with its code, in the version of the configuration", async () => {
    const { CNI_CONTAINERID: _, CNI_IFNAME: __, ...some } = whole;
    for (const [code, command, env, input] of [
      [1, "ADD", whole, conf({ cniVersion: "7.0.0" })],
      [1, "CHECK", whole, conf({ cniVersion: "0.3.1" })],
      [1, "GC", whole, conf({ cniVersion: "1.0.0" })],
      [1, "STATUS", whole, conf({ cniVersion: "1.0.0" })],
      [2, "ADD", whole, conf({ interface_type: "dpdkvhostuser" })],
      [3, "ADD", whole, conf()],
      [4, "ADD", some, conf()],
      [4, "EAT", whole, conf()],
      [4, "ADD", { ...whole, CNI_CONTAINERID: "../x" }, conf()],
      [4, "ADD", { ...whole, CNI_IFNAME: "sixteen-letters-" }, conf()],
      [4, "ADD", { ...whole, CNI_IFNAME: "a b" }, conf()],
      [4, "ADD", { ...whole, CNI_NETNS: "relative" }, conf()],
      [6, "ADD", whole, "nonsense"],
      [6, "ADD", whole, "[]"],
      [7, "ADD", whole, conf({ name: "" })],
      [7, "ADD", whole, conf({ vlan: 9999 })],
      [7, "GC", whole, conf()],
      [8, "ADD", { ...whole, CNI_NETNS: "/proc/self/ns/net" }, conf()],
      [
        11,
        "CHECK",
        { ...whole, CNI_NETNS: "/etc/hostname" },
        conf({ socket_file: "/nowhere/db.sock", prevResult: {} }),
      ],
      [50, "STATUS", whole, conf({ socket_file: "/nowhere/db.sock" })],
    ] as const) {
      const answer = await call({ CNI_COMMAND: command, ...env }, input);
      expect([command, input, answer.json?.code, answer.exitCode]).toEqual([command, input, code, 1]);
      expect(answer.json.msg).not.toBe("");
    }
  });

  test("names all variables that are missing", async () => {
    const { json } = await call({ CNI_COMMAND: "ADD", CNI_PATH: "/x" }, conf());
    expect(json.msg).toBe("the environment lacks CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, which ADD needs");
    expect(json.cniVersion).toBe("1.1.0");
  });

  test("refuses a network without addresses before 0.3.0, before it has made anything", async () => {
    const { json } = await call({ CNI_COMMAND: "ADD", ...whole }, '{"name":"n","bridge":"br1"}');
    expect(json).toMatchObject({
      cniVersion: "0.1.0",
      code: 1,
      msg: "a result of CNI 0.1.0 cannot be without an address",
    });
  });
});
