import { spawnSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { run } from "@switchyard/base";
import { agentSocketFor, askAgent } from "@switchyard/doors/cni/ask";
import { createNamespaces, deleteNamespaces, inNamespace, type NamespaceRef } from "@switchyard/linux";
import { processes, temporaryFolder } from "@switchyard/testing";
import { type Figure, median, type Target } from "./figure.ts";
import { type BenchYard, benchYard } from "./yard.ts";

const RUNS = 20;
/** Milliseconds. */
const SETTLE = 150;
const PLUGINS = "/usr/lib/cni";
const HOME = "sybench_cni";
const CONTAINER = "sybench_cni_c1";
const executable = new URL("../dist/yard", import.meta.url).pathname;

/** A plugin as a runtime calls it. */
interface Plugin {
  /** Undefined: a daemon asks the agent by its socket, and no process is started. */
  readonly program: string | undefined;
  /** Where it makes the host's end. */
  readonly home: NamespaceRef;
  readonly env: Readonly<Record<string, string>>;
  readonly conf: object;
}

type Times = Readonly<Record<"ADD" | "DEL", number[]>>;

/**
 * A nic for a container and away again, as runtimes have it done: by us on a userspace switch, by Debian's `bridge`, a
 * compiled Go program, on one of the kernel's.
 */
export async function cni(): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder("sybench-"));
  const yard = stack.use(await benchYard("benchcni"));
  stack.defer(() => void deleteNamespaces([HOME, CONTAINER]));
  createNamespaces([HOME, CONTAINER]);
  symlinkSync(executable, `${folder.path}/switchyard`);
  // The agent runs then.
  await yard.run("add", "netns", "idle");
  await run([
    "ovs-vsctl",
    `--db=unix:${yard.switchSocket}`,
    "add-br",
    "br0",
    "--",
    "set",
    "Bridge",
    "br0",
    "datapath_type=netdev",
  ]);
  const ours: Plugin = {
    program: `${folder.path}/switchyard`,
    home: "self",
    env: yard.env,
    conf: { type: "switchyard", yard: yard.name, bridge: "br0" },
  };
  const debian: Plugin = {
    program: `${PLUGINS}/bridge`,
    home: { name: HOME },
    env: {},
    conf: { type: "bridge", bridge: "cni0" },
  };
  const compared = async (plugin: Plugin) => [
    { ipam: false, ...(await compare(plugin, debian, false, folder.path)) },
    { ipam: true, ...(await compare(plugin, debian, true, folder.path)) },
  ];
  const served = await compared(ours);
  const asked = await compared({ ...ours, program: undefined });
  await endAgent(yard);
  const alone = await compared(ours);
  return [
    ...served.flatMap((one) => figures(one, "", { ADD: one.ipam ? 2 : 2.5, DEL: 1.5 })),
    ...asked.flatMap((one) => figures(one, ", by the agent's socket", {})),
    ...alone.flatMap((one) => figures(one, ", no agent running", {})),
  ];
}

async function compare(ours: Plugin, debian: Plugin, ipam: boolean, folder: string) {
  const times = {
    ours: { ADD: [] as number[], DEL: [] as number[] },
    debian: { ADD: [] as number[], DEL: [] as number[] },
  };
  for (let n = -2; n < RUNS; n++)
    for (const [plugin, into] of [
      [ours, times.ours],
      [debian, times.debian],
    ] as const)
      for (const command of ["ADD", "DEL"] as const) {
        // What a switch and an agent still do after the answer must not slow down the other's next call.
        Bun.sleepSync(SETTLE);
        const seconds = await call(plugin, command, ipam, folder);
        // The first ones make what stays, such as the bridge.
        if (n >= 0) into[command].push(seconds);
      }
  return times;
}

interface Called {
  readonly code: number | null;
  readonly output: string;
}

/** @returns the seconds that it takes */
async function call(plugin: Plugin, command: "ADD" | "DEL", ipam: boolean, folder: string): Promise<number> {
  const addresses = { type: "host-local", dataDir: `${folder}/ipam`, ranges: [[{ subnet: "10.66.0.0/16" }]] };
  const input = JSON.stringify({
    cniVersion: "1.0.0",
    name: "bench",
    ...plugin.conf,
    ...(ipam ? { ipam: addresses } : {}),
  });
  const env = {
    ...plugin.env,
    CNI_COMMAND: command,
    CNI_CONTAINERID: "0123456789abcdef",
    CNI_NETNS: `/run/netns/${CONTAINER}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: PLUGINS,
  };
  const began = performance.now();
  const { code, output } =
    plugin.program === undefined ? await ask(input, env) : start(plugin.program, plugin, input, env);
  const seconds = (performance.now() - began) / 1000;
  if (code !== 0) throw new Error(`${plugin.program ?? "the agent"}, ${command}: ${output}`);
  return seconds;
}

function start(program: string, { home }: Plugin, input: string, env: Readonly<Record<string, string>>): Called {
  const { status, stdout } = inNamespace(home, () => spawnSync(program, [], { input, encoding: "utf8", env }));
  return { code: status, output: stdout };
}

async function ask(input: string, env: Readonly<Record<string, string>>): Promise<Called> {
  const answer = await askAgent(agentSocketFor(input, env), { type: "switchyard", env, input }, () => {});
  return typeof answer === "string" ? { code: 1, output: answer } : { code: answer.exitCode, output: answer.output };
}

async function endAgent(yard: BenchYard): Promise<void> {
  const pid = yard.agentPid();
  process.kill(pid, "SIGKILL");
  const ended = () => !processes().some((it) => it.pid === pid);
  for (const until = performance.now() + 5_000; !ended() && performance.now() < until; ) await Bun.sleep(10);
}

function figures(
  { ours, debian, ipam }: { readonly ours: Times; readonly debian: Times; readonly ipam: boolean },
  how: string,
  limits: Partial<Record<"ADD" | "DEL", number>>,
): Figure[] {
  return (["ADD", "DEL"] as const).map((command) => {
    const limit = limits[command];
    const target: Target | undefined = limit === undefined ? undefined : { of: "value/baseline", limit, at: "most" };
    return {
      case: "cni",
      name: `CNI ${command}${ipam ? " with host-local" : ", layer 2 only"}${how}`,
      unit: "s",
      value: median(ours[command]),
      runs: ours[command],
      baseline: { name: "Debian's bridge", value: median(debian[command]), runs: debian[command] },
      ...(target === undefined ? {} : { target }),
    };
  });
}
