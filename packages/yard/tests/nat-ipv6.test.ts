import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { inNamespace } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { natLeasesFile, nodeNamespace, readNatLeases } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const NAME = `tnatsix${process.pid}`;
/** What is beyond the host: it has no route to what is behind a nat. */
const WORLDS = [`${NAME}w0`, `${NAME}w1`];
const LINK = `tn6${process.pid}`;
const PORT = 20_000 + (process.pid % 10_000);

/** What the host does with IPv6, link by link; those that come and go with a yard left out. */
function hostState(): Record<string, string> {
  const conf = "/proc/sys/net/ipv6/conf";
  const entries = readdirSync(conf).flatMap((link) =>
    /^(all|default|lo|eth\d+|tn6\d+)$/.test(link)
      ? ["forwarding", "accept_ra"].map((key): [string, string] => [
          `${link}.${key}`,
          readFileSync(join(conf, link, key), "utf8").trim(),
        ])
      : [],
  );
  return Object.fromEntries(entries);
}

describe.skipIf(!requires("root", "openvswitch", "dnsmasq", "nftables", "busybox", "ping", "iproute2", "dhclient"))(
  "a nat in IPv6",
  () => {
    let before: Machine;
    let yard: LiveYard;
    let asFound: Record<string, string>;
    const lab = `
name: six
networks:
  lan: {}
  home: { type: nat, cidr: [10.95.23.0/24, "fd95:23::/64"] }
nodes:
  out:
    kind: nat
    cidr: [10.95.24.0/24, "fd95:24::/64"]
    nics: [lan]
    ports:
      - "127.0.0.1:${PORT}:fixed:7"
      - "127.0.0.1:${PORT}:10.95.24.200:7/udp"
      - "[::1]:${PORT}:fixed:7"
      - "[::1]:${PORT}:[fd95:24::200]:7/udp"
  pc: { kind: netns, nics: [ { network: lan, dhcp: true } ] }
  asks: { kind: netns, nics: [ { network: lan, ip: none, mac: "02:00:00:95:24:01" } ] }
  fixed: { kind: netns, nics: [ { network: lan, ip: [10.95.24.200/24, "fd95:24::200/64"], gateway: [10.95.24.1, "fd95:24::1"] } ] }
  at-home: { kind: netns, nics: [home] }
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      for (const [n, world] of WORLDS.entries()) {
        await run(["ip", "netns", "add", world]);
        await run(["ip", "link", "add", `${LINK}${n}`, "type", "veth", "peer", "name", "eth0", "netns", world]);
        await run(["ip", "address", "add", `fd95:9${n}::1/64`, "dev", `${LINK}${n}`, "nodad"]);
        await run(["ip", "link", "set", `${LINK}${n}`, "up"]);
        await run(["ip", "-n", world, "address", "add", `fd95:9${n}::2/64`, "dev", "eth0", "nodad"]);
        await run(["ip", "-n", world, "link", "set", "eth0", "up"]);
      }
      // The two reach each other only by way of the host.
      await run(["ip", "-n", `${NAME}w0`, "route", "add", "fd95:91::/64", "via", "fd95:90::1"]);
      await run(["ip", "-n", `${NAME}w1`, "route", "add", "fd95:90::/64", "via", "fd95:91::1"]);
      asFound = hostState();
      yard = await LiveYard.create(NAME);
      chmodSync(yard.folder, 0o755);
    });
    afterAll(async () => {
      try {
        await yard[Symbol.asyncDispose]();
        expect(hostState()).toEqual(asFound);
      } finally {
        for (const [n, world] of WORLDS.entries()) {
          await tryRun(["ip", "link", "delete", `${LINK}${n}`]);
          await run(["ip", "netns", "delete", world]);
        }
      }
      await expectSameMachine(before, { ours: new RegExp(`${NAME}|switchyard_forwarding6|${LINK}`) });
    });

    /** IPv6 of global scope that a node has. */
    const addressIn = async (node: string) =>
      /inet6 (\S+)\/\d+/.exec((await yard.in(node, "ip", "-6", "address", "show", "scope", "global")).stdout)?.[1];

    test("is the way out for nodes that it gives addresses, of the network and of the node", async () => {
      expect((await yard.up(lab)).failures).toEqual([]);
      expect(await addressIn("at-home")).toBe("fd95:23::2");
      expect(await yard.comesToReach("at-home", "fd95:90::2")).toBe(true);
      expect(await yard.comesToReach("fixed", "fd95:90::2")).toBe(true);
      expect(await yard.plan(lab)).toEqual([]);
    });

    test("advertises itself, so that who asks for nothing has an address and a way out too", async () => {
      expect(await yard.comesToReach("pc", "fd95:90::2")).toBe(true);
      expect(await addressIn("pc")).toStartWith("fd95:24::");
    });

    test("leases addresses by DHCPv6, which are told with whom they are leased to", async () => {
      const lease = join(yard.folder, "lease");
      const script = join(yard.folder, "script");
      writeFileSync(script, `#!/bin/sh\n[ -z "$new_ip6_address" ] || echo "$new_ip6_address" >${yard.folder}/leased\n`);
      chmodSync(script, 0o755);
      // Of the MAC (RFC 8415, 11.4), so that the server can tell the node.
      const words = ["-6", "-1", "-D", "LL", "-sf", script, "-lf", lease, "-pf", join(yard.folder, "pid"), "eth0"];
      expect((await yard.in("asks", "timeout", "20", "dhclient", ...words)).code).toBe(0);
      const address = readFileSync(join(yard.folder, "leased"), "utf8").trim();
      expect(address).toStartWith("fd95:24::");
      await yard.in(
        "asks",
        "dhclient",
        "-6",
        "-x",
        "-sf",
        "/bin/true",
        "-lf",
        lease,
        "-pf",
        join(yard.folder, "pid"),
        "eth0",
      );
      const leases = readNatLeases(natLeasesFile(yard.paths.run, NAME, "out"));
      expect(leases).toContainEqual(expect.objectContaining({ address, mac: "02:00:00:95:24:01" }));
      expect(leases).toContainEqual(
        expect.objectContaining({ address: expect.stringMatching(/^10\.95\.24\./), name: "pc" }),
      );
    });

    test("resolves the names of nodes", async () => {
      const asked = await yard.in("pc", "busybox", "nslookup", "-type=aaaa", "fixed", "fd95:24::1");
      expect(asked.stdout).toContain("fd95:24::200");
    });

    test("has ports of the host lead in, of TCP and UDP, by both families", async () => {
      const there = { name: nodeNamespace(NAME, "fixed") };
      const tcp = createServer((client) => client.on("error", () => {}).end(client.localAddress ?? ""));
      const listening = once(tcp, "listening");
      inNamespace(there, () => void tcp.listen(7, "::"));
      await listening;
      // It has a second address of IPv6, derived, which answers could leave from that are sent from any.
      const udp = await Promise.all(
        ["10.95.24.200", "fd95:24::200"].map(
          (hostname) =>
            inNamespace(there, () => ({
              bound: Bun.udpSocket({
                hostname,
                port: 7,
                socket: { data: (self, data, port, address) => void self.send(`got ${data}`, port, address) },
              }),
            })).bound,
        ),
      );
      try {
        expect(await overTcp("127.0.0.1")).toEndWith("10.95.24.200");
        expect(await overTcp("::1")).toBe("fd95:24::200");
        expect(await overUdp("127.0.0.1", "four")).toBe("got four");
        expect(await overUdp("::1", "six")).toBe("got six");
      } finally {
        tcp.close();
        for (const socket of udp) socket.close();
      }
    });

    test("that a port leads to nobody is told", async () => {
      const { failures } = await yard.up(lab.replace("fixed:7", "nobody:7"));
      expect(failures).toMatchObject([{ subject: { kind: "node", node: "out" }, code: "nat.target-unknown" }]);
    });

    test("has the host forward for it alone, and leaves it as it was", async () => {
      const between = () => tryRun(["ip", "netns", "exec", `${NAME}w0`, "ping", "-c", "1", "-W", "1", "fd95:91::2"]);
      if (asFound["all.forwarding"] === "0") expect((await between()).code).toBe(1);
      expect(hostState()["all.forwarding"]).toBe("1");
      expect(hostState()[`${LINK}0.accept_ra`]).toBe("2");
      // Without nodes behind a nat that speak IPv6 there is nothing to forward.
      expect((await yard.up("name: six\nnodes: {}\n")).failures).toEqual([]);
      expect(hostState()).toEqual(asFound);
      // So it is, too, when all of the yard is taken away at once, and its agent was killed before: see what comes after.
      expect((await yard.up(lab)).failures).toEqual([]);
      expect(hostState()["all.forwarding"]).toBe("1");
      process.kill(await yard.agentPid(), "SIGKILL");
    });
  },
);

async function overTcp(address: string): Promise<string> {
  const client = connect(PORT, address);
  client.setTimeout(10_000, () => client.destroy(new Error(`${address} did not answer`)));
  let answer = "";
  for await (const chunk of client) answer += String(chunk);
  return answer;
}

function overUdp(address: string, text: string): Promise<string> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${address} did not answer`)), 10_000);
    socket.once("message", (answer) => {
      clearTimeout(timer);
      resolve(answer.toString());
    });
    socket.once("error", reject);
    socket.send(text, PORT, address);
  }).finally(() => socket.close());
}
