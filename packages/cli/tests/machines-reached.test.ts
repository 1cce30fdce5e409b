import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run as runProgram } from "@switchyard/base";
import { ensureGuest, expectSameMachine, type Machine, requires, sitDown, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

// Translated guests are slow, and the machine may be busy with other tests.
setDefaultTimeout(120_000);

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "dnsmasq", "nftables", "ssh"))(
  "virtual machines whose guest agent does not answer",
  () => {
    const yard = yardName();
    let before: Machine;
    let site: Site;
    let declared: string;
    const run = (...argv: readonly string[]) => site.yard(yard, argv);
    const said = (...argv: readonly string[]) => site.said(yard, argv);
    const lab = (kernel: string, initrd: string, key: string) => `
name: reached
networks: { lan: {} }
defaults: { vm: { kernel: ${kernel}, initrd: ${initrd}, memory: 128M } }
nodes:
  out: { kind: nat, cidr: 10.251.9.0/24, nics: [lan] }
  near:
    kind: vm
    append: console=ttyS0 address=10.251.9.50/24 no-agent ssh=${key}
    ssh: { user: root, key: ./id_ed25519 }
    nics: [{ network: lan, ip: 10.251.9.50/24 }]
  alone: { kind: vm, append: console=ttyS0, guest_agent: false }
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      chmodSync(join(site.folder, ".."), 0o755);
      for (const name of ["id_ed25519", "other"])
        await runProgram(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(site.folder, name)]);
      const [, key = ""] = readFileSync(join(site.folder, "id_ed25519.pub"), "utf8").split(" ");
      const { kernel, initrd } = await ensureGuest();
      declared = lab(kernel, initrd, key);
      await said("up", site.write("reached.yard.yaml", declared));
      await booted("near");
      await booted("alone");
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(`${yard}|syguest`) });
    });

    /** Waits until a guest says that it is ready. */
    async function booted(node: string): Promise<void> {
      for (let patience = 300; patience > 0; patience--) {
        if ((await said("logs", node)).includes("guest ready")) return;
        await Bun.sleep(100);
      }
      throw new Error(`${node} did not boot: ${await said("logs", node)}`);
    }

    const tree = (name: string, size: number) => {
      const folder = join(site.folder, name);
      mkdirSync(join(folder, "deep"), { recursive: true });
      writeFileSync(join(folder, "deep/noise"), randomBytes(size));
      writeFileSync(join(folder, "it's a name"), "text\n");
      return folder;
    };
    const same = (a: string, b: string) => runProgram(["diff", "-r", join(site.folder, a), join(site.folder, b)]);

    test("are entered by ssh where the lab says how: commands, scripts, and what is fed to them", async () => {
      expect(await said("exec", "near", "--", "printf", "%s|", "a b", "it's")).toBe("a b|it's|");
      expect((await run("exec", "near", "--", "sh", "-c", "exit 7")).code).toBe(7);
      expect(await said("exec", "-w", "/root", "-e", "A=b c", "near", "--", "sh", "-c", 'pwd; echo "$A"')).toBe(
        "/root\nb c\n",
      );
      expect(await site.yard(yard, ["exec", "-i", "near", "--", "cat"], { input: "fed" })).toMatchObject({
        stdout: "fed",
      });
      expect(await site.yard(yard, ["shell", "near"], { input: "echo $((40 + 2)); exit 3\n" })).toMatchObject({
        code: 3,
        stdout: "42\n",
      });
    });

    test("have a shell with a terminal by ssh, and their console beside it", async () => {
      await using person = sitDown(site.argv(yard, ["shell", "near"]), site.env, site.folder);
      await person.sees("#");
      person.type("tty; echo round $((40 + 1))\r");
      await person.sees("/dev/pts/");
      await person.sees("round 41");
      person.type("exit\r");
      expect(await person.ended).toBe(0);
      expect(await said("exec", "--console", "near", "--", "echo", "by the console")).toBe("by the console\n");
    });

    test("have files copied in and out by ssh", async () => {
      tree("there", 600_000);
      await said("cp", "there", "near:/tmp/");
      await said("cp", "near:/tmp/there", "back");
      await same("there", "back");
      expect(await run("cp", "near:/nowhere", "x")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("runtime.path-absent"),
      });
    });

    test("that cannot be entered by ssh say what ssh said", async () => {
      const refused = await run("cp", "--ssh", "root", "--key", "other", "there", "near:/tmp/");
      expect(refused.stderr).toContain("Permission denied");
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("ssh.failed") });
      expect(await run("exec", "--ssh", "root", "alone", "--", "true")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("ssh.no-way"),
      });
    });

    test("fail no check as it expects where ssh itself does", async () => {
      const check = '  - { name: refused, exec: { node: near, command: ["false"] }, expect: fail, timeout: 2 }';
      const file = site.write("checked.yard.yaml", `${declared}checks:\n${check}\n`);
      const found = async () => JSON.parse((await run("check", "--json", file)).stdout);
      expect(await found()).toMatchObject([{ name: "refused", ok: true, found: "exit code 1" }]);
      const key = join(site.folder, "id_ed25519");
      const own = readFileSync(key);
      writeFileSync(key, readFileSync(join(site.folder, "other")));
      expect(await found()).toMatchObject([{ ok: false, found: expect.stringContaining("Permission denied") }]);
      writeFileSync(key, own);
    });

    test("have files copied through their console, whole, whatever else is said there", async () => {
      tree("small", 20_000);
      expect(await said("exec", "alone", "--", "hostname")).toBe("(none)\n");
      const fed = await site.yard(yard, ["exec", "-i", "alone", "--", "sh", "-c", "cat; exit 3"], { input: "fed\n" });
      expect(fed).toMatchObject({ code: 3, stdout: "fed\n" });
      await said("cp", "small", "alone:/tmp/");
      const noise = site.yard(yard, ["console", "alone"], {
        input: "(sleep 1; echo noise > /dev/kmsg; dmesg -n 8) &\n",
      });
      await noise;
      await said("cp", "alone:/tmp/small", "out");
      {
        // A person is shown how far it has come.
        await using person = sitDown(site.argv(yard, ["cp", "small", "alone:/tmp/again"]), site.env, site.folder);
        await person.sees("KiB");
        expect(await person.ended).toBe(0);
        await said("exec", "alone", "--", "rm", "-r", "/tmp/again");
      }
      await same("small", "out");
      writeFileSync(join(site.folder, "large"), randomBytes(5 * 1024 * 1024));
      expect(await run("cp", "large", "alone:/tmp/")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("vm.copy-too-large"),
      });
      expect(await said("exec", "alone", "--", "ls", "-A", "/tmp")).toBe("small\n");
    });
  },
);
