/**
 * What the agent does for members of the group `yard`, who are as good as root but are not: it runs verbs that enter
 * nodes, with the very streams of the one who asks. So terminals, pipes and files are his own, and nothing is relayed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { childEnvironment, YardError } from "@switchyard/base";
import { borrowFiles } from "@switchyard/linux";
import type { Method } from "@switchyard/yard/agent";
import { selfCommand } from "../self.ts";
import { verbOf } from "../verbs.ts";
import { ERRANDS, type Errand, errandSchema, signalSchema } from "./words.ts";

export function errandMethods(yard: string): Record<"errand" | "errand-signal", Method> {
  const running = new Map<number, ChildProcess>();
  return {
    errand: async (params, tell, gone) => {
      const child = begin(yard, errandSchema.parse(params));
      const id = child.pid;
      const ended = new Promise<{ code: number }>((resolve, reject) => {
        child.once("error", (cause) =>
          reject(new YardError("errand.not-begun", `the command could not be started: ${cause.message}`, { cause })),
        );
        child.once("exit", (code, signal) => resolve({ code: code ?? 128 + (signal ? constants.signals[signal] : 0) }));
      });
      const hangUp = () => void child.kill("SIGHUP");
      gone.addEventListener("abort", hangUp, { once: true });
      try {
        if (id !== undefined) {
          running.set(id, child);
          tell({ id });
        }
        return await ended;
      } finally {
        gone.removeEventListener("abort", hangUp);
        if (id !== undefined) running.delete(id);
      }
    },
    "errand-signal": (params) => {
      const { id, signal } = signalSchema.parse(params);
      running.get(id)?.kill(signal);
    },
  };
}

/** @throws YardError `errand.refused`, and those of {@link borrowFiles} */
function begin(yard: string, { argv, pid, cwd, environment }: Errand): ChildProcess {
  const verb = verbOf(argv);
  if (verb === undefined || !ERRANDS.has(verb))
    throw new YardError("errand.refused", `the agent does not run "${verb ?? ""}" for others`);
  // A number of another namespace of processes is somebody else's here.
  if (executableOf(pid) !== process.execPath)
    throw new YardError("errand.refused", `process ${pid} is no command of this yard`);
  const streams = borrowFiles(pid, [0, 1, 2]);
  try {
    const [program, ...args] = selfCommand();
    const env = { ...childEnvironment(), ...environment };
    return spawn(program, [...args, "-y", yard, ...argv], { cwd, env, stdio: streams });
  } finally {
    for (const fd of streams) closeSync(fd);
  }
}

function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
