import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { delay, run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { ensureTunnelKey, publicKeyOf, tunnelKeyFile } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";
import { joinUnderlays } from "./underlays.ts";

setDefaultTimeout(patience(60_000));

const NAME = `tsecret${process.pid}`;
/** What the nodes send each other, in hexadecimal as ping(8) takes it. */
const MARKER = "in the clear";

describe.skipIf(!requires("root", "openvswitch", "iperf3", "ping", "iproute2", "tcpdump", "wireguard"))(
  "an encrypted c2c to another host",
  () => {
    let before: Machine;
    let a: LiveYard;
    let b: LiveYard;
    let wire: string;
    const keyOf = (yard: LiveYard) => publicKeyOf(ensureTunnelKey(tunnelKeyFile(yard.paths.state)));
    const lab = (own: number, peer: number, more: string) => `
name: far
networks: { underlay: {}, lan: { cidr: 10.99.7.0/24 } }
nodes:
  n: { kind: netns, nics: [ { network: lan, ip: 10.99.7.${own}/24 } ] }
  wide: { kind: c2c, peer: 10.98.0.${peer}, id: 7001, nics: [lan]${more} }
`;
    const both = async (more: (other: LiveYard) => string) => {
      expect((await a.up(lab(1, 2, more(b)))).failures).toEqual([]);
      expect((await b.up(lab(2, 1, more(a)))).failures).toEqual([]);
    };
    const encrypted = (other: LiveYard) => `, encrypt: ${JSON.stringify(keyOf(other))}`;

    beforeAll(async () => {
      before = await snapshotMachine();
      a = await LiveYard.create(`${NAME}-a`);
      b = await LiveYard.create(`${NAME}-b`, { beside: a });
      await both(() => "");
      wire = await joinUnderlays(a, b);
    });
    afterAll(async () => {
      await b[Symbol.asyncDispose]();
      await a[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    /** What is on the wire between the two hosts while a node sends the marker to the other. */
    async function onTheWire(): Promise<Buffer> {
      const file = join(a.folder, "wire.pcap");
      const words = [
        "netns",
        "exec",
        a.paths.namespace,
        "tcpdump",
        "-Z",
        "root",
        "-U",
        "--immediate-mode",
        "-i",
        wire,
        "-w",
        file,
      ];
      const child = spawn("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
      await once(child.stderr, "data");
      const pattern = Buffer.from(MARKER).toString("hex");
      expect((await a.in("n", "ping", "-c", "3", "-i", "0.2", "-s", "200", "-p", pattern, "10.99.7.2")).code).toBe(0);
      const ended = once(child, "exit");
      child.kill("SIGINT");
      await ended;
      return readFileSync(file);
    }

    test("keeps off the wire what is plain to see there without it", async () => {
      expect(await a.comesToReach("n", "10.99.7.2")).toBe(true);
      expect((await onTheWire()).includes(MARKER)).toBe(true);
      await both(encrypted);
      expect(await a.comesToReach("n", "10.99.7.2")).toBe(true);
      const seen = await onTheWire();
      expect(seen.length).toBeGreaterThan(1000);
      expect(seen.includes(MARKER)).toBe(false);
    });

    test("has room for the tunnel, and large packets pass", async () => {
      expect((await a.in("n", "ip", "link", "show", "eth0")).stdout).toContain("mtu 1350");
      expect((await a.in("n", "ping", "-c", "1", "-M", "do", "-s", "1322", "10.99.7.2")).code).toBe(0);
      await expectBulkBetween(a, "n", "n", "10.99.7.2", b);
    });

    test("keeps its private key to root, out of argument vectors and logs, and says what encrypts", async () => {
      const file = tunnelKeyFile(a.paths.state);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const secret = readFileSync(file, "utf8").trim();
      const { stdout } = await tryRun(["ps", "-eo", "args"]);
      expect(stdout).toContain(keyOf(b));
      expect(stdout).not.toContain(secret);
      expect((await tryRun(["grep", "-r", "-F", secret, a.paths.run])).code).toBe(1);
      expect((await a.status("wide"))?.accelerator).toMatch(/^(wireguard-go|WireGuard of the kernel)$/);
      expect(await a.plan(lab(1, 2, encrypted(b)))).toEqual([]);
    });

    test("comes again when its process is killed", async () => {
      const pids = (await run(["pgrep", "-f", `tunnel .*${a.paths.state}`])).trim().split("\n").map(Number);
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await a.until(({ nodes }) => nodes.some(({ name, status }) => name === "wide" && status.state === "pending"));
      await a.until(({ nodes }) => nodes.some(({ name, status }) => name === "wide" && status.state === "running"));
      expect(await a.comesToReach("n", "10.99.7.2")).toBe(true);
    });

    test("is refused at a port that another has, and fails where the other end's key is its own", async () => {
      const other = lab(3, 2, encrypted(b)).replace("name: far", "name: other").replace("wide:", "second:");
      const second = other
        .replace(/lan: .*}/, "x: {} }")
        .replace(/ {2}n: .*\n/, "")
        .replace("[lan]", "[x]")
        .replace("underlay: {}, ", "");
      await expect(a.up(second)).rejects.toMatchObject({ code: "c2c.port-taken" });
      const { failures } = await a.up(lab(1, 2, encrypted(a)));
      expect(failures).toMatchObject([{ subject: { kind: "node", node: "wide" }, code: "c2c.own-key" }]);
      expect((await a.up(lab(1, 2, encrypted(b)))).failures).toEqual([]);
      expect(await a.comesToReach("n", "10.99.7.2")).toBe(true);
    });

    test("lets nobody in whose key is not the one declared", async () => {
      const strange = publicKeyOf(ensureTunnelKey(join(a.folder, "strange.key")));
      expect((await b.up(lab(2, 1, `, encrypt: ${JSON.stringify(strange)}`))).failures).toEqual([]);
      await delay(patience(500));
      expect(await a.reaches("n", "10.99.7.2")).toBe(false);
      await both(() => "");
      expect(await a.comesToReach("n", "10.99.7.2")).toBe(true);
      const links = await run(["ip", "-n", a.paths.namespace, "-br", "link"]);
      expect(links).not.toMatch(/^wg/m);
    });
  },
);
