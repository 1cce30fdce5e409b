import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const LAB = `
name: shark
networks: { lan: { cidr: 10.251.6.0/24 } }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.251.6.1/24 }] }
  b: { kind: netns, nics: [{ network: lan, ip: 10.251.6.2/24 }] }
`;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "tcpdump", "tshark"))(
  "Wireshark's own tools",
  () => {
    const yard = yardName();
    const nic = `yard:${yard}:b:eth0`;
    let before: Machine;
    let site: Site;
    let env: Record<string, string>;

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      site.write("shark.yard.yaml", LAB);
      expect((await site.yard(yard, ["up"])).code).toBe(0);
      const [program = "", ...args] = site.argv(yard, []).slice(0, -2);
      const folder = join(site.folder, ".config/wireshark/extcap");
      mkdirSync(folder, { recursive: true });
      const words = [program, ...args].map((word) => `'${word}'`).join(" ");
      writeFileSync(join(folder, "yard-extcap"), `#!/bin/bash\nexec -a yard-extcap ${words} "$@"\n`, { mode: 0o755 });
      // Their settings and their temporary files go with the test.
      env = { ...site.env, HOME: site.folder, XDG_CONFIG_HOME: "", TMPDIR: site.folder };
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("list the nics of every yard as interfaces, with what can be set", async () => {
      const listed = await run(["tshark", "-D"], { env });
      expect(listed).toContain(`${nic} (b:eth0 of yard ${yard})`);
      expect(listed).toContain(`yard:${yard}:a:eth0`);
      expect(await run(["tshark", "-i", nic, "-L"], { env })).toContain("EN10MB (Ethernet)");
    });

    test("capture from one, with a filter, and take the spy away again", async () => {
      const argv = ["-i", nic, "-f", "icmp", "-c", "6", "-a", "duration:20", "-l", "-n", "-T", "fields"];
      const fields = ["-e", "frame.interface_name", "-e", "icmp.type", "-e", "frame.len"];
      const tshark = spawn("tshark", [...argv, ...fields], {
        env,
        cwd: site.folder,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const said = output(tshark);
      await spyMade();
      const ping = spawn("ip", ["netns", "exec", `yard_${yard}_a`, "ping", "-qn", "-i", "0.1", "10.251.6.2"]);
      const ended = new Promise((resolve) => ping.once("close", resolve));
      const { stdout } = await said;
      ping.kill();
      await ended;
      const lines = stdout.trim().split("\n");
      expect(lines).toHaveLength(6);
      expect(lines.map((line) => line.split("\t")[1]).sort()).toEqual(["0", "0", "0", "8", "8", "8"]);
    });

    test("are told of a wrong filter before they begin", async () => {
      const program = join(site.folder, ".config/wireshark/extcap/yard-extcap");
      const check = (filter: string) =>
        tryRun([program, `--extcap-interface=${nic}`, `--extcap-capture-filter=${filter}`], { env });
      expect(await check("tcp port 80")).toMatchObject({ code: 0, stdout: "", stderr: "" });
      const wrong = await check("tcp prot 80");
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toContain("[capture.bad-filter]");
    });

    test("do not wait for frames that never come where the filter is wrong", async () => {
      const { code, stderr } = await tryRun(["tshark", "-i", nic, "-f", "tcp prot 80", "-c", "1"], {
        env,
        timeout: 20_000,
      });
      expect(code).not.toBe(0);
      expect(stderr).toContain("[capture.bad-filter]");
    });

    /** Resolves when the spy of b's nic can be captured from: somebody has it open. */
    async function spyMade(): Promise<void> {
      const monitor = spawn("ip", ["-n", `yard_${yard}`, "monitor", "link"], { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise<void>((resolve) => {
        monitor.stdout.on("data", (text) => /s_k_2_0.*PROMISC/.test(String(text)) && resolve());
      });
      monitor.kill();
    }
  },
);

function output(child: ChildProcess): Promise<{ readonly stdout: string; readonly stderr: string }> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (text) => {
    stdout += String(text);
  });
  child.stderr?.on("data", (text) => {
    stderr += String(text);
  });
  return new Promise((resolve) => child.once("close", () => resolve({ stdout, stderr })));
}
