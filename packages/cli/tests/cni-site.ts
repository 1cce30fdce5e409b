/** A yard whose agent serves the plugin of the built executable, and containers' namespaces; all gone in the end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { temporaryFolder } from "@switchyard/testing";

export const executable = new URL("../../../dist/yard", import.meta.url).pathname;
const PLUGINS = "/usr/lib/cni";

export interface Nic {
  readonly id: string;
  readonly netns: string;
  readonly ifname?: string;
  /** CNI_PATH, in place of Debian's folder. */
  readonly path?: string;
}

export interface PluginAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CniYard extends AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  /** Where the plugin is installed. */
  readonly plugins: string;
  /** The same for runtimes that call it with an environment of their own, in which the yard's folders are not named. */
  readonly wrapped: string;
  readonly env: Readonly<Record<string, string>>;
  /** A network on bridge br0 of the yard. */
  conf(more?: object): object;
  /** A new namespace. @returns its file */
  container(name: string): string;
  /** The installed plugin, called as a runtime does. */
  call(
    command: string,
    conf: object,
    nic: Nic,
    options?: { onStart?: (child: ChildProcess) => void },
  ): Promise<PluginAnswer>;
  /** Starts the agent again. */
  startAgent(): Promise<void>;
  killAgent(): Promise<void>;
  signalAgent(signal: NodeJS.Signals): void;
  vsctl(...argv: readonly string[]): Promise<string>;
}

export async function cniYard(name: string): Promise<CniYard> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder("tcnicli-"));
  const env = {
    ...childEnvironment(),
    SWITCHYARD_RUN_DIR: `${folder}/run`,
    SWITCHYARD_STATE_DIR: `${folder}/state`,
  };
  const spaces: string[] = [];
  stack.defer(() => void deleteNamespaces(spaces));
  stack.defer(async () => void (await run([executable, "-y", name, "down", "--all"], { env })));
  const plugins = `${folder}/bin`;
  await run([executable, "cni", "install", plugins], { env });
  let agent: ChildProcess | undefined;
  const wrapped = `${folder}/wrapped`;
  mkdirSync(wrapped);
  const words = `SWITCHYARD_RUN_DIR=${env.SWITCHYARD_RUN_DIR} exec ${plugins}/switchyard`;
  writeFileSync(`${wrapped}/switchyard`, `#!/bin/sh\n${words}\n`, { mode: 0o755 });
  const startAgent = async () => {
    const child = spawn(executable, ["-y", name, "agent", "--announce"], { env, stdio: ["ignore", "pipe", "ignore"] });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    if (!String(line).includes("serving")) throw new Error(`the agent said ${line}`);
    agent = child;
  };
  await startAgent();
  const vsctl = (...argv: readonly string[]) =>
    run(["ovs-vsctl", `--db=unix:${folder}/run/${name}/db.sock`, "--timeout=10", ...argv]);
  await vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
  const owned = stack.move();
  return {
    name,
    folder,
    plugins,
    wrapped,
    env,
    conf: (more = {}) => ({ cniVersion: "1.0.0", name: "net", type: "switchyard", yard: name, bridge: "br0", ...more }),
    container(suffix) {
      const space = `tcnicli_${process.pid}_${suffix}`;
      spaces.push(space);
      createNamespaces([space]);
      return `/run/netns/${space}`;
    },
    call: (command, conf, nic, { onStart } = {}) =>
      new Promise((resolve, reject) => {
        const child = spawn(`${plugins}/switchyard`, [], {
          env: {
            ...env,
            CNI_COMMAND: command,
            CNI_CONTAINERID: nic.id,
            CNI_NETNS: nic.netns,
            CNI_IFNAME: nic.ifname ?? "eth0",
            CNI_PATH: nic.path ?? PLUGINS,
          },
        });
        let [stdout, stderr] = ["", ""];
        child.stdout.on("data", (chunk: Buffer) => {
          stdout += chunk.toString("utf8");
        });
        child.stderr.on("data", (chunk: Buffer) => {
          stderr += chunk.toString("utf8");
        });
        child.on("error", reject);
        child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
        child.stdin.end(JSON.stringify(conf));
        onStart?.(child);
      }),
    startAgent,
    async killAgent() {
      if (agent === undefined) return;
      const ended = once(agent, "exit");
      agent.kill("SIGKILL");
      await ended;
    },
    signalAgent: (signal) => void agent?.kill(signal),
    vsctl,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Whether one ping gets an answer. */
export async function pings(netns: string, to: string): Promise<boolean> {
  const { code } = await tryRun(["nsenter", `--net=${netns}`, "ping", "-c1", "-W1", "-i0.2", to]);
  return code === 0;
}
