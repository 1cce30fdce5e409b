/** What a Docker network and an end of a container may be asked for. */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { tryRun } from "@switchyard/base";
import { dockerReady, SERVER, testSite } from "./docker-site.ts";

const LIMIT = 60_000;

/** Answers UDP datagrams with what they say, in capitals; tells when it is there. */
const ECHO = `const s = require("node:dgram").createSocket("udp4");
s.on("message", (m, r) => s.send(m.toString().toUpperCase(), r.port, r.address));
s.bind(7, () => console.log("ready"));`;

describe.skipIf(!dockerReady)("options of Docker networks on Open vSwitch", () => {
  const site = testSite();
  const create = (name: string, subnet: string, ...options: readonly string[]) =>
    site().docker("network", "create", "-d", site().driver, "--subnet", subnet, ...options, name);

  test(
    "-o vxlan reaches other hosts by tunnels, leaves room for their headers, and passes TCP here",
    async () => {
      await create("far", "10.78.1.0/24", "-o", "vxlan=4711", "-o", "peers=192.0.2.7,192.0.2.8");
      await site().docker(..."run -d --network far --ip 10.78.1.7 --name web -h web".split(" "), ...SERVER);
      const [network] = await site().networks();
      expect(network).toMatchObject({ name: "far", type: "vxlan", bridge: "vxlbr4711" });
      const ports = await site().yard("ovs", "show");
      expect(ports.match(/\bvx4711_\w+/g)).toHaveLength(2);
      expect(await site().docker("exec", "web", "cat", "/sys/class/net/eth0/mtu")).toBe("1450");
      // More than a segment, from a nic that finishes its packets.
      await site().docker("exec", "web", "dd", "if=/dev/zero", "of=/www/big", "bs=1M", "count=3");
      expect((await site().fetchIn("far", "http://web/big")).length).toBe(3 * 1024 * 1024);
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "far");
    },
    LIMIT,
  );

  test(
    "-o spy spies on every nic, -o mtu is every nic's, and an end may have a spy and a slot of its own",
    async () => {
      await create("seen", "10.78.2.0/24", "-o", "spy", "-o", "com.docker.network.driver.mtu=1300");
      await site().docker(..."run -d --network seen --name web -h web".split(" "), ...SERVER);
      const [web] = await site().nodes();
      expect(web?.nics[0]).toMatchObject({ spy: expect.stringContaining("s_k_"), network: "seen" });
      expect(await site().docker("exec", "web", "cat", "/sys/class/net/eth0/mtu")).toBe("1300");
      await create("slots", "10.78.3.0/24");
      const ends = ["--ip", "10.78.3.9", "--driver-opt", "slot=9", "--driver-opt", "spy=true"];
      await site().docker("network", "connect", ...ends, "slots", "web");
      expect(await site().docker("exec", "web", "cat", "/sys/class/net/eth1/address")).toBe("52:00:0a:4e:03:09");
      const [end] = (await site().nodes()).filter(({ name }) => name === "web.slots");
      expect(end?.nics[0]).toMatchObject({ mac: "52:00:0a:4e:03:09", spy: expect.stringContaining("s_k_") });
      const wrong = ["network", "connect", "--driver-opt", "slot=10", "--ip", "10.78.3.11", "slots"] as const;
      await site().docker("run", "-d", "--network", "seen", "--name", "other", "busybox", "sleep", "600");
      expect(
        await site()
          .docker(...wrong, "other")
          .catch(String),
      ).toContain("--ip 10.78.3.10");
      await site().docker("rm", "-f", "web", "other");
      await site().docker("network", "rm", "seen", "slots");
      expect(await site().networks()).toEqual([]);
    },
    LIMIT,
  );

  test(
    "-o bridge puts containers on a network of the yard, beside its own nodes",
    async () => {
      await site().yard("add", "network", "plant", "--cidr", "10.78.7.0/24");
      await site().yard("add", "netns", "pc", "-n", "plant");
      await create("shared", "10.78.7.0/24", "--internal", "-o", "bridge=plant", "--ip-range", "10.78.7.128/25");
      await site().docker("run", "-d", "--network", "shared", "--name", "web", "-h", "web", ...SERVER);
      const [pc, web] = await site().nodes();
      expect([pc?.nics[0]?.network, web?.nics[0]?.network]).toEqual(["plant", "shared"]);
      const address = web?.nics[0]?.addresses[0]?.split("/")[0];
      expect(await site().yard("exec", "pc", "--", "busybox", "wget", "-qO-", `http://${address}/`)).toBe("web\n");
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "shared");
      await site().yard("rm", "pc");
      await site().yard("rm", "plant");
    },
    LIMIT,
  );

  test(
    "-o datapath names the one that the switch has, and no other",
    async () => {
      await create("user", "10.78.4.0/24", "-o", "datapath=netdev");
      await site().docker("network", "rm", "user");
      const options = ["-o", "datapath=system", "--subnet", "10.78.4.0/24", "kernel"];
      const argv = [
        "docker",
        "-H",
        site().engine.address,
        "network",
        "create",
        "-d",
        site().driver,
        ...options,
      ] as const;
      expect((await tryRun([...argv])).stderr).toContain("has the datapath netdev, not system [dockernet.bad-option]");
    },
    LIMIT,
  );

  test(
    "UDP ports are published beside TCP ports, and one that the host chooses is told by the yard",
    async () => {
      await create("ports", "10.78.5.0/24");
      const published = ["-p", "127.0.0.1:18007:7/udp", "-p", "127.0.0.1::80"];
      await site().docker("run", "-d", "--network", "ports", "--name", "web", "-h", "web", ...published, ...SERVER);
      const pid = await site().docker("inspect", "-f", "{{.State.Pid}}", "web");
      await using stack = new AsyncDisposableStack();
      const echo = spawn("nsenter", ["-t", pid, "-n", process.execPath, "-e", ECHO], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = once(echo, "exit");
      stack.defer(async () => {
        echo.kill("SIGKILL");
        await ended;
      });
      await once(createInterface({ input: echo.stdout }), "line");
      const client = createSocket("udp4");
      stack.defer(() => void client.close());
      client.send("udp too", 18_007, "127.0.0.1");
      const [answer] = await once(client, "message", { signal: AbortSignal.timeout(10_000) });
      expect(String(answer)).toBe("UDP TOO");
      const [web] = await site().nodes();
      const chosen = /127\.0\.0\.1:(\d+)->80\/tcp/.exec(JSON.stringify(web))?.[1];
      expect(await (await fetch(`http://127.0.0.1:${chosen}/`)).text()).toBe("web\n");
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "ports");
    },
    LIMIT,
  );
});
