/** ecDock's command with a real engine, on the switch of a yard. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import {
  expectSameMachine,
  type Machine,
  patience,
  requires,
  snapshotMachine,
  YARD_COMMAND,
} from "@switchyard/testing";
import { EcSite, LIMIT } from "./ec-site.ts";

const ready = requires("root", "openvswitch", "docker-engine", "busybox");
describe.skipIf(!ready)("ec", () => {
  let before: Machine;
  let site: EcSite;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await EcSite.create();
  }, LIMIT);
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(site.yardName), timeout: patience(10_000) });
  }, LIMIT);

  test(
    "does the session of ecDock's README: a vswitch, containers in slots, attach, and nothing left",
    async () => {
      expect(await site.ec("create-vswitch", "10.0.0.254/24")).toMatchObject({ code: 0 });
      expect(await site.vsctl("get", "Bridge", "ovs0", "other_config:hwaddr")).toBe('"52:00:0a:00:00:fe"');
      const first = await site.ec("--slot=1", "start", "busybox", "sh");
      expect(first).toMatchObject({ code: 0, err: "" });
      expect(first.out).toContain("IP=10.0.0.1/24 and MAC=52:00:0a:00:00:01 with gateway 10.0.0.254");
      // Without a slot it is the next one that is free.
      expect((await site.ec("-q", "start", "busybox", "httpd", "-f", "-h", "/etc")).out).toBe("");
      expect(await site.docker("ps", "--format", "{{.Names}}")).toBe("ovs0-s02\novs0-s01");
      expect(await site.docker("exec", "ovs0-s01", "hostname")).toEndWith("-ovs0-s01");
      expect(await site.vsctl("get", "Interface", "ovs0-s02", "ofport")).toBe("2");
      const link = await site.docker("exec", "ovs0-s01", "ip", "address", "show", "eth0");
      for (const part of ["52:00:0a:00:00:01", "inet 10.0.0.1/24", "inet6 2001:db8::a00:1/64"])
        expect(link).toContain(part);
      expect(await site.docker("exec", "ovs0-s01", "ip", "route")).toContain("default via 10.0.0.254");
      expect(await site.docker("exec", "ovs0-s01", "wget", "-qO-", "http://10.0.0.2/passwd")).toContain("root:");
      await site.docker("exec", "ovs0-s01", "ping", "-c1", "-W2", "10.0.0.254");
      await site.docker("exec", "ovs0-s01", "ping", "-6", "-c1", "-W2", "2001:db8::a00:2");
      expect(await site.ofctl("dump-flows", "ovs0")).toContain("dl_dst=52:00:0a:00:00:01 actions=output:1");
      // With a terminal of its own, `script`, it shows what the container's shell says.
      const attach = ["bash", "-c", 'exec -a ec "$0" "$@"', ...YARD_COMMAND, "attach", "1"];
      const typed = { input: "echo slot $((40+2))\nexit\n", env: site.env, timeout: LIMIT };
      const { stdout } = await tryRun(["script", "-qec", attach.map(quoted).join(" "), "/dev/null"], typed);
      expect(stdout).toContain("slot 42");
      expect((await site.ec("stop", "1")).code).toBe(0);
      expect((await site.ec("stop", "2")).code).toBe(0);
      expect(await site.docker("ps", "-aq")).toBe("");
      expect(await site.vsctl("list-ports", "ovs0")).toBe("");
      expect(await site.ofctl("dump-flows", "ovs0")).not.toContain("dl_dst");
    },
    LIMIT,
  );

  test(
    "a container that is restarted gets its nic back",
    async () => {
      await site.ec("--slot=5", "start", "busybox", "sleep", "600");
      await site.docker("restart", "-t", "0", "ovs0-s05");
      const nic = "until ip address show eth0 2>/dev/null | grep -q 10.0.0.5/24; do sleep 0.1; done; ip route";
      const routes = await site.docker("exec", "ovs0-s05", "timeout", `${patience(10)}`, "sh", "-c", nic);
      expect(routes).toContain("default via 10.0.0.254");
      await site.docker("exec", "ovs0-s05", "ping", "-c1", "-W2", "10.0.0.254");
      await site.docker("stop", "-t", "0", "ovs0-s05");
      while (!/ovs0-s05 +guest\S* +exited/.test(await site.yard("ps"))) await Bun.sleep(50);
      expect(await site.vsctl("list-ports", "ovs0")).toBe("");
      await site.docker("start", "ovs0-s05");
      await site.docker("exec", "ovs0-s05", "timeout", `${patience(10)}`, "sh", "-c", nic);
      await site.ec("stop", "5");
      expect(await site.yard("ps")).not.toContain("ovs0-s05");
    },
    LIMIT,
  );

  test(
    "two nics bridged inside, ports of the switch's own, several vswitches, and any mask",
    async () => {
      await site.ec("create-vswitch", "wide", "10.9.0.1/16", "--usermode");
      const dual = await site.ec("--slot=3", "--dual-nic", "start", "busybox", "sleep", "600");
      expect(dual).toMatchObject({ code: 0, err: "" });
      expect(await site.vsctl("get", "Interface", "ovs0-o03", "ofport")).toBe("30003");
      const links = await site.docker("exec", "ovs0-s03", "ip", "address");
      for (const part of ["52:80:0a:00:00:03", "inet 10.0.0.3/24 brd 10.0.0.255 scope global br0"])
        expect(links).toContain(part.replace("brd 10.0.0.255 ", ""));
      for (const port of ["ovs0-s03", "ovs0-o03"])
        expect(await site.ofctl("show", "ovs0")).toMatch(new RegExp(`\\(${port}\\)[^(]*config: +NO_FLOOD`));
      const more = await site.ec("--slot=100", "--internal", "--eth1=wide", "start", "busybox", "sleep", "600");
      expect(more).toMatchObject({ code: 0, err: "" });
      const nics = await site.docker("exec", "ovs0-s100", "ip", "-4", "-o", "address");
      expect(nics).toContain("10.0.0.100/24");
      expect(nics).toContain("10.9.0.100/16");
      // What is flooded, as the question for its MAC, does not come to it: it has to speak first.
      for (const [from, to] of [
        ["ovs0-s03", "10.0.0.100"],
        ["ovs0-s100", "10.9.0.1"],
      ] as const) {
        const reached = `until ping -c1 -W1 ${to}; do sleep 0.1; done`;
        await site.docker("exec", from, "timeout", `${patience(10)}`, "sh", "-c", reached);
      }
      expect(await site.ec("restart", "3", "busybox", "sleep", "601")).toMatchObject({ code: 0, err: "" });
      expect(await site.docker("exec", "ovs0-s03", "ip", "address", "show", "eth0")).toContain("10.0.0.3/24");
      await site.ec("stop", "3", "--no-rm");
      expect(await site.docker("ps", "-a", "--format", "{{.Names}}")).toContain("ovs0-s03");
      await site.docker("run", "-d", "--name", "theirs", "--network", "none", "busybox", "true");
      await site.ec("cleanup");
      expect((await site.docker("ps", "-a", "--format", "{{.Names}}")).split("\n").sort()).toEqual([
        "ovs0-s100",
        "theirs",
      ]);
      await site.ec("stop", "100");
      expect((await site.ec("delete-vswitch", "wide")).code).toBe(0);
    },
    LIMIT,
  );

  test(
    "connects a vswitch to a device, as OpenFlow port 65261",
    async () => {
      const inside = ["ip", "netns", "exec", `yard_${site.yardName}`, "ip", "link"] as const;
      await run([...inside, "add", "wire", "type", "veth", "peer", "name", "far"]);
      expect(await site.ec("create-vswitch", "linked", "10.7.0.254/24", "wire")).toMatchObject({ code: 0 });
      expect(await site.vsctl("get", "Interface", "wire", "ofport")).toBe("65261");
      expect(await site.vsctl("list-ports", "linked")).toBe("wire");
      expect((await site.ec("delete-vswitch", "linked")).code).toBe(0);
      await run([...inside, "delete", "wire"]);
    },
    LIMIT,
  );

  test(
    "refuses a slot that is taken, the switch's own, none, and an image that is not there; nothing is left",
    async () => {
      await site.ec("--slot=1", "start", "busybox", "sleep", "600");
      expect((await site.ec("--slot=1", "start", "busybox", "true")).err).toContain("[ec.slot-taken]");
      expect((await site.ec("--slot=128", "start", "busybox")).err).toContain("[ec.bad-slot]");
      expect((await site.ec("stop", "9")).err).toContain("[ec.slot-empty]");
      expect((await site.ec("--vswitch=no", "start", "busybox", "true")).err).toContain("[ec.no-vswitch]");
      expect((await site.ec("start", "nowhere.invalid/x")).err).toContain("[ec.no-image]");
      expect((await site.ec("start", "busybox", "true")).err).toMatch(/\[ec\.(not-running|nic-failed)\]/);
      expect((await site.ec("delete-vswitch")).err).toContain("[ec.vswitch-in-use]");
      for (const [address, code] of [
        ["10.8.0.0/24", "address.bad-cidr"],
        ["10.8.0.255/24", "address.bad-cidr"],
        ["fd00::1/64", "address.bad-cidr"],
        ["10.0.0.254/16", "ec.address-taken"],
      ] as const)
        expect((await site.ec("create-vswitch", "other", address)).err).toContain(`[${code}]`);
      expect((await site.ec("frobnicate")).code).toBe(2);
      expect(await site.vsctl("list-ports", "ovs0")).toBe("ovs0-s01");
      await site.ec("stop", "1");
      expect(await site.docker("ps", "-aq", "--filter", "name=ovs0")).toBe("");
    },
    LIMIT,
  );

  test(
    "takes its settings from /etc/default/ecDock, which --install writes and nobody runs",
    async () => {
      const folder = join(site.folder, "default");
      mkdirSync(folder);
      // In a mount namespace of its own, so that the host's file stays as it is.
      const at = (...argv: readonly string[]) => {
        const inside = `mount --bind ${folder} /etc/default && exec -a ec "$0" "$@"`;
        return tryRun(["unshare", "-m", "bash", "-c", inside, ...YARD_COMMAND, ...argv], {
          env: site.env,
          timeout: LIMIT,
        });
      };
      expect((await at("--install")).stdout).toContain("docker.io openvswitch-switch");
      const file = join(folder, "ecDock");
      expect(readFileSync(file, "utf8")).toContain("DEFAULT_VSWITCH=ovs0\n");
      expect((await at("get-test-images")).stdout).toContain("docker pull");
      writeFileSync(file, 'DEFAULT_VSWITCH="small"\nDEFAULT_SLOT=7\nDEFAULT_IPV6_PREFIX=fd00:7\n');
      await at("create-vswitch", "10.8.0.14/28");
      expect((await at("start", "busybox", "sleep", "600")).stdout).toContain(
        "small-s07, IP=10.8.0.7/28 and MAC=52:00:0a:08:00:07",
      );
      expect(await site.docker("exec", "small-s07", "ip", "address")).toContain("inet6 fd00:7::a08:7/64");
      // Another session of a shell would have run this.
      writeFileSync(file, `DEFAULT_VSWITCH=$(touch ${folder}/ran)\n`);
      expect((await at("stop", "7")).stderr).toContain("[ec.bad-settings]");
      expect(existsSync(join(folder, "ran"))).toBe(false);
      await site.ec("--vswitch=small", "stop", "7");
      await site.ec("delete-vswitch", "small");
    },
    LIMIT,
  );
});

/** For `script`, which takes a command as one text. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
