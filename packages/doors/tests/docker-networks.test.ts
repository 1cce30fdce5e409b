/** Docker networks on a yard's switch, with a real engine. */
import { describe, expect, test } from "bun:test";
import { tryRun } from "@switchyard/base";
import { dockerReady, SERVER, testSite } from "./docker-site.ts";

const LIMIT = 60_000;

describe.skipIf(!dockerReady)("a Docker network on Open vSwitch", () => {
  const site = testSite();

  test(
    "gives containers their addresses, names and TCP between them, publishes ports, and shows them as nodes",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.0.0/24", "office");
      await site().docker(
        ..."run -d --network office --ip 10.77.0.7 --name web -h web -p 127.0.0.1:18977:80".split(" "),
        ...SERVER,
      );
      const answer = await site().docker(
        "run",
        "--rm",
        "--network",
        "office",
        "busybox",
        "wget",
        "-qO-",
        "http://web/",
      );
      expect(answer).toBe("web");
      expect(await (await fetch("http://127.0.0.1:18977/")).text()).toBe("web\n");

      const [node] = await site().nodes();
      expect(node).toMatchObject({ name: "web", kind: "guest", state: "running", ports: ["127.0.0.1:18977->80/tcp"] });
      expect(node?.nics[0]).toMatchObject({ network: "office", addresses: ["10.77.0.7/24"], state: "up" });
      await site().docker("rm", "-f", "web");
      expect(await site().nodes()).toEqual([]);
      await site().docker("network", "rm", "office");
      expect(await site().networks()).toEqual([]);
    },
    LIMIT,
  );

  test(
    "a container that is restarted gets its nic back, and so does one that a crash of the driver interrupted",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.1.0/24", "again");
      await site().docker(..."run -d --network again --ip 10.77.1.7 --name web -h web".split(" "), ...SERVER);
      await site().docker("restart", "-t", "0", "web");
      expect(await site().fetchIn("again", "http://web/")).toBe("web");
      await site().stopDriver("SIGKILL");
      await site().startDriver();
      await site().docker("restart", "-t", "0", "web");
      expect(await site().fetchIn("again", "http://web/")).toBe("web");
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "again");
    },
    LIMIT,
  );

  test(
    "its containers can be entered, spied on, captured and impaired as other nodes, but only Docker takes them away",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.7.0/24", "open");
      await site().docker(..."run -d --network open --ip 10.77.7.7 --name web -h web".split(" "), ...SERVER);
      expect(await site().yard("exec", "web", "--", "hostname")).toBe("web\n");
      await site().yard("spy", "web:eth0", "on");
      const captured = site().yard("capture", "web:eth0", "--count", "1");
      await site().docker("exec", "web", "ping", "-c2", "10.77.7.1");
      expect((await captured).length).toBeGreaterThan(24);
      await site().yard("impair", "web:eth0", "delay=30ms");
      const slow = await site().docker("exec", "web", "ping", "-c2", "10.77.7.1");
      expect(Number(/min\/avg\/max = ([\d.]+)/.exec(slow)?.[1])).toBeGreaterThanOrEqual(60);
      await site().yard("impair", "web:eth0", "off");
      const refused = await site().yard("rm", "web").catch(String);
      expect(refused).toContain("docker rm");
      expect((await site().nodes()).map(({ name }) => name)).toEqual(["web"]);
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "open");
      expect(await site().nodes()).toEqual([]);
    },
    LIMIT,
  );

  test(
    "several networks of one container, joined and left while it runs",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.2.0/24", "front");
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.3.0/24", "--internal", "back");
      await site().docker(..."run -d --network front --name web -h web".split(" "), ...SERVER);
      await site().docker("network", "connect", "--ip", "10.77.3.9", "back", "web");
      expect(await site().fetchIn("back", "http://10.77.3.9/")).toBe("web");
      expect((await site().nodes()).map(({ name }) => name).sort()).toEqual(["web", "web.back"]);
      await site().docker("network", "disconnect", "back", "web");
      expect(await site().docker("exec", "web", "ip", "-o", "link")).not.toContain("eth1");
      expect(await site().fetchIn("front", "http://web/")).toBe("web");
      // An internal one has no way out, and the host is not on it.
      const routes = await site().docker("run", "--rm", "--network", "back", "busybox", "ip", "route");
      expect(routes).not.toContain("default");
      expect((await site().networks()).find(({ name }) => name === "back")?.gateway).toEqual([]);
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "front", "back");
    },
    LIMIT,
  );

  test(
    "IPv6, an MTU, MACs by slot and a VLAN of a bridge of the yard",
    async () => {
      await site().yard("add", "network", "backplane");
      const create = ["network", "create", "-d", site().driver, "--ipv6", "--subnet", "10.77.4.0/24"];
      const options = ["-o", "vlan=10", "-o", "bridge=backplane", "-o", "mtu=1400", "-o", "slot=true"];
      await site().docker(...create, "--subnet", "fd77:4::/64", ...options, "v");
      await site().docker(
        ..."run -d --network v --ip 10.77.4.7 --ip6 fd77:4::7 --name web -h web".split(" "),
        ...SERVER,
      );
      const link = await site().docker("exec", "web", "ip", "address", "show", "eth0");
      expect(link).toContain("mtu 1400");
      expect(link).toContain("52:00:0a:4d:04:07");
      expect(link).toContain("inet6 fd77:4::7/64");
      expect(await site().fetchIn("v", "http://[fd77:4::7]/")).toBe("web");
      const [network] = (await site().networks()).filter(({ name }) => name === "v");
      expect(network).toMatchObject({ type: "vlan", bridge: "vlbr10", mtu: 1400 });
      await site().docker("rm", "-f", "web");
      await site().docker("network", "rm", "v");
      await site().yard("rm", "backplane");
    },
    LIMIT,
  );

  test(
    "addresses of the driver's own choice meet none of the yard's",
    async () => {
      const create = [
        "network",
        "create",
        "-d",
        site().driver,
        "--ipam-driver",
        site().driver,
        "--subnet",
        "10.77.5.0/24",
      ];
      await site().docker(...create, "pool");
      const refused = await tryRun(["docker", "-H", site().engine.address, ...create, "pool2"]);
      expect(refused.stderr).toContain("[dockernet.pool-overlaps]");
      await site().yard("add", "netns", "pc", "-n", "pool");
      expect((await site().nodes()).map(({ nics }) => nics[0]?.addresses)).toEqual([["10.77.5.2/24"]]);
      const address = await site().docker(
        "run",
        "--rm",
        "--network",
        "pool",
        "busybox",
        "ip",
        "-4",
        "-o",
        "addr",
        "show",
        "eth0",
      );
      expect(address).toContain("10.77.5.3/24");
      await site().yard("rm", "pc");
      await site().docker("network", "rm", "pool");
    },
    LIMIT,
  );

  test(
    "options that cannot be are refused with what can, and nothing is left of it",
    async () => {
      const refusal = async (...options: readonly string[]) => {
        const create = ["network", "create", "-d", site().driver, "--subnet", "10.77.6.0/24", ...options, "bad"];
        return (await tryRun(["docker", "-H", site().engine.address, ...create])).stderr;
      };
      expect(await refusal("-o", "vlann=10")).toContain("did you mean vlan?");
      expect(await refusal("-o", "vlan=5000")).toContain("vlan is a number from 0 to 4094");
      expect(await refusal("-o", "bridge=nowhere")).toContain("nowhere");
      expect(await refusal("-o", "vlan=3", "-o", "vxlan=3")).toContain("either vlan or vxlan");
      expect(await site().networks()).toEqual([]);
      expect(await site().docker("network", "ls", "-q", "--filter", `driver=${site().driver}`)).toBe("");
    },
    LIMIT,
  );
});
