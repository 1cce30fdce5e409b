import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { childEnvironment, run } from "@switchyard/base";
import { applyLinks } from "@switchyard/linux";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { pings, type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(patience(60_000));

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "iperf3"))("between two hosts' switches", () => {
  let before: Machine;
  let a: TestSwitch;
  let b: TestSwitch;
  const stack = new AsyncDisposableStack();

  beforeAll(async () => {
    before = await snapshotMachine();
    a = stack.use(await testSwitch());
    b = stack.use(await testSwitch());
    const far = { name: "u0", namespace: { name: b.namespace }, up: true };
    applyLinks([{ namespace: { name: a.namespace }, ops: [{ op: "veth", name: "u0", up: true, peer: far }] }]);
    for (const [sw, address] of [
      [a, "10.200.0.1/24"],
      [b, "10.200.0.2/24"],
    ] as const) {
      await sw.ovs("bridge-add", { bridge: "vxbackend" });
      await sw.ovs("port-add", { bridge: "vxbackend", port: "u0" });
      await sw.ip("address", "add", address, "dev", "vxbackend");
      await run(["ip", "netns", "exec", sw.namespace, "ethtool", "-K", "u0", "tx", "off"]);
    }
  });
  afterAll(async () => {
    await stack.disposeAsync();
    await expectSameMachine(before, { ours: /tdoors[_-]/ });
  });

  /** Two hosts, one on each switch's bridge; what they send is small enough for the tunnel, and whole. */
  async function ends(net: number, bridge: string, mtu: number): Promise<readonly [string, string]> {
    const [left, right] = [`l${net}`, `r${net}`];
    const near = (await a.hosts({ [left]: `10.8.${net}.1/24` }))[left] ?? "";
    const far = (await b.hosts({ [right]: `10.8.${net}.2/24` }))[right] ?? "";
    for (const host of [near, far]) {
      await run(["ip", "-n", host, "link", "set", "eth0", "mtu", String(mtu)]);
      await run(["ip", "netns", "exec", host, "ethtool", "-K", "eth0", "tx", "off"]);
    }
    await a.ovs("port-add", { bridge, port: left });
    await b.ovs("port-add", { bridge, port: right });
    return [near, far];
  }

  test("tunnels to peers carry ping and TCP, and keep one VXLAN from another", async () => {
    for (const vxlan of [41, 42]) {
      await a.ovs("vxlan-ensure", { master: "vxbackend", vxlan, peers: ["10.200.0.2"] });
      await b.ovs("vxlan-ensure", { master: "vxbackend", vxlan, peers: ["10.200.0.1"] });
    }
    const [near, far] = await ends(1, "vxlbr41", 1450);
    expect(await reaches(near, "10.8.1.2")).toBe(true);
    expect(await tcp(near, far, "10.8.1.2")).toBeGreaterThan(0);
    const [other] = await ends(2, "vxlbr42", 1450);
    await run(["ip", "-n", other, "address", "add", "10.8.1.9/24", "dev", "eth0"]);
    expect(await pings(other, "10.8.1.2")).toBe(false);
  });

  test("the multicast device carries ping and TCP until its bridge is deleted", async () => {
    for (const sw of [a, b]) expect(await sw.ovs("vxlan-ensure", { master: "vxbackend", vxlan: 43 })).toBe("vxlbr43");
    const [near, far] = await ends(3, "vxlbr43", 1450);
    expect(await reaches(near, "10.8.3.2")).toBe(true);
    expect(await tcp(near, far, "10.8.3.2")).toBeGreaterThan(0);
    await a.ovs("bridge-del", { bridge: "vxlbr43" });
    expect(await pings(near, "10.8.3.2")).toBe(false);
  });

  test("a VLAN over the wire between the hosts carries TCP", async () => {
    for (const sw of [a, b]) await sw.ovs("vlan-ensure", { master: "vxbackend", vlan: 30 });
    const [near, far] = await ends(4, "vlbr30", 1500);
    expect(await reaches(near, "10.8.4.2")).toBe(true);
    expect(await tcp(near, far, "10.8.4.2")).toBeGreaterThan(0);
  });

  test("a master bridge is deleted with a VXLAN's device over it, and the switch goes on", async () => {
    expect(await b.ovs("vxlan-ensure", { master: "vxbackend", vxlan: 44 })).toBe("vxlbr44");
    expect(await b.ovs("bridge-del", { bridge: "vxbackend" })).toBe("");
    expect(await b.ip("-br", "link")).not.toMatch(/vtep4|vxbackend/);
    expect(await b.ovs("bridge-add", { bridge: "vxbackend" })).toBeNull();
    expect(await b.ovs("vxlan-ensure", { master: "vxbackend", vxlan: 44 })).toBe("vxlbr44");
  });
});

/** The first packets of a tunnel wait for the address of the other end, which the switch asks for and does not keep them for. */
async function reaches(from: string, to: string): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt++) if (await pings(from, to)) return true;
  return false;
}

/** Mbit/s received of what iperf3 sends in a moment. */
async function tcp(from: string, to: string, address: string): Promise<number> {
  const server = spawn("ip", ["netns", "exec", to, "iperf3", "--server", "--one-off", "--forceflush"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: childEnvironment(),
  });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  try {
    await new Promise<void>((resolve, reject) => {
      server.stdout.once("data", () => resolve());
      void ended.then(() => reject(new Error("the iperf3 server ended")));
    });
    const client = ["iperf3", "--client", address, "--bytes", "5M", "--json"] as const;
    const said: unknown = JSON.parse(
      await run(["ip", "netns", "exec", from, ...client], { timeout: patience(20_000) }),
    );
    const rate = /"sum_received":\{[^}]*"bits_per_second":([\d.e+]+)/.exec(JSON.stringify(said))?.[1];
    return Number(rate) / 1e6;
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}
