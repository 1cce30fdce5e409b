import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { run } from "@switchyard/base";
import { startDockerEngine } from "@switchyard/testing";
import { throughput } from "./case-tcp.ts";
import { type Figure, median } from "./figure.ts";
import { benchYard } from "./yard.ts";

const STARTS = 25;
const TRANSFERS = 3;
const DRIVER = "sybench";

/** `docker run` on a Switchyard network against one of Docker's own bridge driver, and TCP on both. */
export async function docker(): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const yard = stack.use(await benchYard("bench-docker"));
  const engine = stack.use(await startDockerEngine());
  const call = (...argv: readonly string[]) =>
    run(["docker", "-H", engine.address, ...argv], { timeout: 60_000 }).then((text) => text.trim());
  const [program = "", ...args] = yard.argv(
    "docker-driver",
    "--name",
    DRIVER,
    "--engine",
    engine.address,
    "--announce",
  );
  const server = spawn(program, args, { env: yard.env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  stack.defer(async () => {
    server.kill();
    await ended;
  });
  await new Promise<void>((resolve) => createInterface({ input: server.stdout }).once("line", () => resolve()));
  const networks = [
    { name: "ours", driver: DRIVER, subnet: "10.177.1.0/24" },
    { name: "theirs", driver: "bridge", subnet: "10.177.2.0/24" },
  ] as const;
  for (const { name, driver, subnet } of networks) {
    await call("network", "create", "-d", driver, "--subnet", subnet, name);
    stack.defer(async () => void (await call("network", "rm", name)));
  }

  const starts = { ours: [] as number[], theirs: [] as number[] };
  // The first of each does not count: what is loaded once is loaded then.
  for (let round = 0; round <= STARTS; round++)
    for (const { name } of networks) {
      const began = performance.now();
      const id = await call("run", "-d", "--network", name, "busybox", "sleep", "600");
      if (round > 0) starts[name].push((performance.now() - began) / 1000);
      await call("rm", "-f", id);
    }

  const tcp = { ours: [] as number[], theirs: [] as number[] };
  const pairs = await Promise.all(
    networks.map(async ({ name }) => {
      const ends = await Promise.all(["a", "b"].map((end) => endOf(call, name, `sybench-${name}-${end}`)));
      stack.defer(async () => {
        for (const { namespace, id } of ends) {
          await run(["ip", "netns", "delete", namespace]);
          await call("rm", "-f", id);
        }
      });
      return { name, ends };
    }),
  );
  for (let round = 0; round < TRANSFERS; round++)
    for (const { name, ends } of pairs) {
      const [from, to] = ends;
      if (from && to) tcp[name].push(await throughput(from.namespace, to.namespace, to.address));
    }

  const figure = (name: string, unit: string, runs: typeof starts): Omit<Figure, "target"> => ({
    case: "docker",
    name,
    unit,
    value: median(runs.ours),
    runs: runs.ours,
    baseline: { name: "Docker's bridge, without its firewall rules", value: median(runs.theirs), runs: runs.theirs },
  });
  return [
    {
      ...figure("docker run on a network", "s", starts),
      target: { of: "value/baseline", at: "most", limit: 1.15 },
    },
    figure("TCP between two containers of Docker", "Mbit/s", tcp),
  ];
}

/** A container, with its namespace under a name. */
async function endOf(call: (...argv: readonly string[]) => Promise<string>, network: string, namespace: string) {
  const id = await call("run", "-d", "--network", network, "busybox", "sleep", "600");
  const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const [pid = "", address = ""] = (await call("inspect", "-f", format, id)).split(" ");
  await run(["ip", "netns", "attach", namespace, pid]);
  return { id, namespace, address };
}
