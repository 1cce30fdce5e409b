import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { childEnvironment, tryRun } from "@switchyard/base";
import { processes, temporaryFolder } from "@switchyard/testing";

const executable = new URL("../dist/yard", import.meta.url).pathname;

/** A yard for measuring: state and sockets in a folder of its own, gone when disposed of. */
export interface BenchYard extends AsyncDisposable {
  readonly name: string;
  /** Starts its databases, its switch and its agent. @returns seconds */
  start(): Promise<number>;
  /** Writes a lab file. @returns its path */
  write(name: string, text: string): Promise<string>;
  /** Runs `yard -y NAME …`. @returns the seconds of the whole process */
  time(...argv: readonly string[]): Promise<number>;
  run(...argv: readonly string[]): Promise<string>;
  /** The argument vector and environment of `yard -y NAME …`, for who starts it otherwise. */
  argv(...argv: readonly string[]): readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where its switch's database listens. */
  readonly switchSocket: string;
  /** The process of its agent. @throws where none runs */
  agentPid(): number;
  /** Resident memory of the agent in MB (10⁶ bytes). */
  agentMemory(): number;
}

/** Makes a yard of that name; it starts with {@link BenchYard.start} or the first `up`. @param environment of its commands, beside ours */
export async function benchYard(name: string, environment: Readonly<Record<string, string>> = {}): Promise<BenchYard> {
  const folder = await temporaryFolder("sybench-");
  const env = {
    ...childEnvironment(),
    SWITCHYARD_RUN_DIR: `${folder.path}/run`,
    SWITCHYARD_STATE_DIR: `${folder.path}/state`,
    NO_COLOR: "1",
    ...environment,
  };
  await mkdir(`${folder.path}/labs`);
  const call = async (argv: readonly string[]) => {
    const { code, stdout, stderr } = await tryRun([executable, "-y", name, ...argv], { env, timeout: 300_000 });
    if (code !== 0) {
      const log = textOf(`${folder.path}/run/${name}/agent.log`).trim().split("\n").slice(-10).join("\n");
      throw new Error(`yard ${argv.join(" ")} ended with ${code}: ${stderr.trim()}\nthe agent's log ends:\n${log}`);
    }
    return stdout;
  };
  const agentPid = () => {
    const mark = `SWITCHYARD_RUN_DIR=${folder.path}/run`;
    const agent = processes().find(
      ({ pid, command }) =>
        /\bagent\b/.test(command) && textOf(`/proc/${pid}/environ`).includes(mark) && command.includes(name),
    );
    if (!agent) throw new Error("the yard's agent does not run");
    return agent.pid;
  };
  const write = async (file: string, text: string) => {
    const path = `${folder.path}/labs/${file}`;
    await writeFile(path, text);
    return path;
  };
  const time = async (...argv: readonly string[]) => {
    const began = performance.now();
    await call(argv);
    return (performance.now() - began) / 1000;
  };
  return {
    name,
    start: async () => time("up", await write("nothing.yard.yaml", "name: nothing\n")),
    write,
    time,
    run: (...argv) => call(argv),
    argv: (...argv) => [executable, "-y", name, ...argv],
    env,
    switchSocket: `${folder.path}/run/${name}/db.sock`,
    agentPid,
    agentMemory() {
      const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${agentPid()}/status`, "utf8"))?.[1];
      return (Number(kibibytes) * 1024) / 1e6;
    },
    async [Symbol.asyncDispose]() {
      await call(["down", "--all"]).finally(() => folder[Symbol.asyncDispose]());
    },
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
