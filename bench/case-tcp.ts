import { spawn } from "node:child_process";
import { childEnvironment, run } from "@switchyard/base";
import { z } from "zod";
import { type Figure, median } from "./figure.ts";
import { privateSwitch } from "./private-switch.ts";
import { benchYard } from "./yard.ts";

const RUNS = 3;
const SECONDS = 3;

const lab = `name: tcp
networks:
  lan1: { cidr: 10.1.0.0/24 }
defaults: { container: { runtime: oci } }
nodes:
  a: { kind: container, image: busybox, command: [sleep, "100000"], nics: [ { network: lan1, ip: 10.1.0.1/24 } ] }
  b: { kind: container, image: busybox, command: [sleep, "100000"], nics: [ { network: lan1, ip: 10.1.0.2/24 } ] }
`;

/** TCP between two containers of a lan, against two namespaces on an Open vSwitch userspace bridge without TSO. */
export async function tcp(): Promise<Figure[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  await using yard = await benchYard("bench");
  await yard.run("up", await yard.write("tcp.yard.yaml", lab));
  await using plain = await plainBridge();
  for (let i = 0; i < RUNS; i++) {
    ours.push(await throughput(`yard_${yard.name}_a`, `yard_${yard.name}_b`, "10.1.0.2"));
    theirs.push(await throughput(plain.a, plain.b, "10.1.0.2"));
  }
  return [
    {
      case: "tcp",
      name: "TCP between two containers of a lan",
      unit: "Mbit/s",
      value: median(ours),
      runs: ours,
      baseline: { name: "userspace bridge without TSO", value: median(theirs), runs: theirs },
      target: { of: "value/baseline", at: "least", limit: 5 },
    },
  ];
}

/** Two namespaces on a bridge made by hand; their offloads are off, or TCP would not pass at all. */
async function plainBridge(): Promise<{ readonly a: string; readonly b: string } & AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const on = made.use(await privateSwitch("sybench-plain", false));
  await on.vsctl(["add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"]);
  const hosts = ["a", "b"].map((name, i) => ({
    namespace: `sybench-plain-${name}`,
    address: `10.1.0.${i + 1}/24`,
    port: `p${i}`,
  }));
  for (const { namespace, address, port } of hosts) {
    await run(["ip", "netns", "add", namespace]);
    made.defer(async () => {
      await run(["ip", "netns", "delete", namespace]);
    });
    await on.ip([`link add ${port} up type veth peer name eth0 netns ${namespace}`]);
    await run(["ip", "-n", namespace, "address", "add", address, "dev", "eth0"]);
    await run(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
    await run(["ip", "netns", "exec", namespace, "ethtool", "-K", "eth0", "tx", "off"]);
    await on.vsctl(["add-port", "br0", port]);
  }
  const kept = made.move();
  return { a: "sybench-plain-a", b: "sybench-plain-b", [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const Report = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) });

/** Received Mbit/s of iperf3 from namespace `from` to `address` in namespace `to`. */
export async function throughput(from: string, to: string, address: string): Promise<number> {
  const server = spawn("ip", ["netns", "exec", to, "iperf3", "--server", "--one-off", "--forceflush"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: childEnvironment(),
  });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  try {
    // Its banner is printed once it listens.
    await new Promise<void>((resolve, reject) => {
      server.stdout.once("data", () => resolve());
      void ended.then(() => reject(new Error("the iperf3 server ended")));
    });
    const said = await run(
      ["ip", "netns", "exec", from, "iperf3", "--client", address, "--time", String(SECONDS), "--omit", "1", "--json"],
      { timeout: (SECONDS + 20) * 1000 },
    );
    return Report.parse(JSON.parse(said)).end.sum_received.bits_per_second / 1e6;
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}
