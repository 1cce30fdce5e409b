import { join } from "node:path";
import { createLogger } from "@switchyard/base/log";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { type ContainerEngine, openEngine } from "@switchyard/runtime";
import { startDockerEngine, temporaryFolder } from "@switchyard/testing";
import { type Figure, median } from "./figure.ts";
import { benchYard } from "./yard.ts";

const CONTAINERS = 60;
const LANS = 35;
const RUNS = 3;

const COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"];

/** A lab of sixty containers with two nics each on 35 lans, against the engine alone that starts as many without any. */
export async function containers(): Promise<Figure[]> {
  await using engine = await startDockerEngine();
  return [await measure("oci", undefined), await measure("docker", engine.address)];
}

async function measure(kind: "oci" | "docker", address: string | undefined): Promise<Figure> {
  const alone: number[] = [];
  const up: number[] = [];
  // The first of each does not count: what is loaded and unpacked once is so then.
  for (let run = 0; run <= RUNS; run++) {
    const floor = await startAlone(kind, address);
    await using yard = await benchYard("bench-containers", address === undefined ? {} : { DOCKER_HOST: address });
    await yard.start();
    const lab = await yard.write("containers.yard.yaml", labOf(kind));
    const took = await yard.time("up", lab);
    await yard.run("down", lab);
    if (run === 0) continue;
    alone.push(floor);
    up.push(took);
  }
  return {
    case: "containers",
    name: `${CONTAINERS} containers of ${kind} on ${LANS} lans, up`,
    unit: "s",
    value: median(up),
    runs: up,
    baseline: { name: "the engine alone, without nics", value: median(alone), runs: alone },
    target: { of: "value/baseline", at: "most", limit: 1.3 },
  };
}

/** @returns the seconds in which the engine makes and starts them, all at once */
async function startAlone(kind: "oci" | "docker", address: string | undefined): Promise<number> {
  await using folder = await temporaryFolder("sybench-");
  const names = Array.from({ length: CONTAINERS }, (_, n) => `sybench-${kind}-${n}`);
  // Those of the oci runtime live in namespaces that are there; Docker makes its own.
  const namespaces = kind === "oci" ? names : [];
  for (const { message } of createNamespaces(namespaces)) throw new Error(message);
  await using engine = await openEngine(kind, {
    stateDir: join(folder.path, "state"),
    runDir: join(folder.path, "run"),
    imageDir: join(folder.path, "images"),
    log: createLogger("bench", "silent"),
    ...(address === undefined ? {} : { address }),
  });
  try {
    const began = performance.now();
    await Promise.all(names.map((name) => makeOne(engine, name)));
    return (performance.now() - began) / 1000;
  } finally {
    await Promise.all(names.map((name) => engine.remove(name, 0)));
    deleteNamespaces(namespaces);
  }
}

async function makeOne(engine: ContainerEngine, name: string): Promise<void> {
  await engine.create({
    ...{ name, namespace: name, hostname: name, image: "busybox", rootfs: undefined, pull: "never" },
    ...{ command: COMMAND, entrypoint: undefined, user: undefined, privileged: false, cpus: undefined },
    ...{ memory: undefined, env: {}, labels: {}, sysctls: {}, capAdd: [], devices: [], binds: [] },
  });
  await engine.start(name);
}

/** Each container is on two lans, and each lan has three or four of them. */
function labOf(kind: "oci" | "docker"): string {
  const lan = (n: number) => `lan${n % LANS}`;
  return [
    "name: containers",
    `defaults: { container: { runtime: ${kind}, image: busybox, pull: never, command: ${JSON.stringify(COMMAND)} } }`,
    "networks:",
    ...Array.from({ length: LANS }, (_, n) => `  lan${n}: { cidr: 10.60.${n}.0/24 }`),
    "nodes:",
    ...Array.from({ length: CONTAINERS }, (_, n) => `  c${n}: { kind: container, nics: [${lan(n)}, ${lan(n + 1)}] }`),
    "",
  ].join("\n");
}
