import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { childEnvironment, run } from "@switchyard/base";
import { knowsLinkKind } from "@switchyard/linux";
import { patience, requires, type TemporaryFolder, temporaryFolder, YARD_COMMAND } from "@switchyard/testing";
import { ensureTunnelKey, publicKeyOf } from "../src/agent/mod.ts";
import { innerAddress } from "../src/agent/tunnel-key.ts";

setDefaultTimeout(patience(30_000));

const HOSTS = ["a", "b"].map((end, n) => ({
  namespace: `ttunnel${process.pid}${end}`,
  device: `wgt${process.pid}${end}`,
  address: `10.97.200.${n + 1}`,
}));

describe.skipIf(!requires("root", "iproute2", "ping", "wireguard"))("a WireGuard device of a yard", () => {
  let folder: TemporaryFolder;
  const running: ChildProcess[] = [];
  const keyFile = (n: number) => join(folder.path, `${n}.key`);
  const publicKey = (n: number) => publicKeyOf(ensureTunnelKey(keyFile(n)));
  const inside = (n: number, ...argv: readonly string[]) =>
    run(["ip", "netns", "exec", HOSTS[n]?.namespace ?? "", ...argv]);

  /** Resolves when the process says that the device is there. */
  async function begin(n: number): Promise<void> {
    const [own, other] = [HOSTS[n], HOSTS[1 - n]];
    if (own === undefined || other === undefined) throw new Error("there are two hosts");
    const { namespace, device } = own;
    const config = { device, keyFile: keyFile(n), port: 51_820, key: publicKey(1 - n), address: other.address };
    const argv = ["netns", "exec", namespace, ...YARD_COMMAND, "tunnel", JSON.stringify(config)];
    const child = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"], env: childEnvironment() });
    running[n] = child;
    await once(child.stdout, "data");
  }
  async function end(n: number): Promise<void> {
    const child = running[n];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  beforeAll(async () => {
    folder = await temporaryFolder("ttunnel-");
    for (const { namespace } of HOSTS) await run(["ip", "netns", "add", namespace]);
    const [, far] = HOSTS;
    await inside(0, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far?.namespace ?? "");
    for (const [n, { address }] of HOSTS.entries()) {
      await inside(n, "ip", "address", "add", `${address}/24`, "dev", "eth0");
      await inside(n, "ip", "link", "set", "eth0", "up");
    }
  });
  afterAll(async () => {
    for (const n of HOSTS.keys()) await end(n);
    for (const { namespace } of HOSTS) await run(["ip", "netns", "delete", namespace]);
    await folder[Symbol.asyncDispose]();
  });

  test("joins two hosts by addresses that follow from their keys, the kernel's own where it has one", async () => {
    await Promise.all([begin(0), begin(1)]);
    await inside(0, "ping", "-c", "1", "-w", String(patience(10_000) / 1000), innerAddress(publicKey(1)));
    const link = await inside(0, "ip", "-d", "link", "show", "dev", HOSTS[0]?.device ?? "");
    expect(link).toContain("mtu 1420");
    expect(/^ +wireguard/m.test(link)).toBe(knowsLinkKind("wireguard"));
  });

  test("goes with its process, and comes again beside what a killed one left", async () => {
    expect(running[0]?.exitCode).toBeNull();
    await end(0);
    expect(await inside(0, "ip", "-br", "link")).not.toContain("wgt");
    await begin(0);
    const killed = once(running[0] ?? process, "exit");
    running[0]?.kill("SIGKILL");
    await killed;
    await begin(0);
    await inside(0, "ping", "-c", "1", "-w", String(patience(10_000) / 1000), innerAddress(publicKey(1)));
  });
});
