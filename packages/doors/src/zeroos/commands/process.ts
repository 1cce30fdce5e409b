/** Programs that clients run: `core.system` and `bash`. */
import { PassThrough, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { YardError } from "@switchyard/base";
import { type ExecOptions, type ExecStreams, execInNamespace } from "@switchyard/runtime";
import { containerName } from "@switchyard/yard/agent";
import { z } from "zod";
import type { Container } from "../containers.ts";
import type { Ground } from "../ground.ts";
import { type Answer, type Call, type Handler, LEVEL, parsed } from "../job.ts";

const optionalText = z
  .string()
  .nullish()
  .transform((text) => text ?? "");

const systemSchema = z.object({
  name: z.string().min(1),
  args: z
    .array(z.string())
    .nullish()
    .transform((list) => list ?? []),
  dir: optionalText,
  stdin: optionalText,
  env: z.record(z.string().regex(/^[^=\0]+$/), z.string()).nullish(),
});
const bashSchema = z.object({ script: z.string(), stdin: optionalText });

/** Runs a script with the better of two shells; it is `$0`. */
const SHELL = 'command -v bash >/dev/null 2>&1 && exec bash -c "$0"; exec sh -c "$0"';

/** How a program is run somewhere. @returns its exit code */
export type Exec = (options: ExecOptions, streams: ExecStreams) => Promise<number>;

/** In a container, by its engine. */
export function execInContainer(ground: Ground, { node }: Container): Exec {
  return async (options, streams) => {
    if (node.spec.kind !== "container") throw new YardError("zeroos.no-container", `${node.name} is no container`);
    const engine = await ground.engines.get({ runtime: node.spec.runtime, engine: node.spec.engine });
    return await engine.exec(containerName(ground.yard, node.name), options, streams);
  };
}

/** Beside the switch, with the host's files. */
export function execOnHost({ namespace }: Ground): Exec {
  return (options, streams) => {
    if (typeof namespace === "object" && "name" in namespace) return execInNamespace(namespace.name, options, streams);
    throw new YardError("zeroos.not-offered", "programs are not run in the host's own namespace", {
      hint: "run them in a container, or use a yard of its own",
    });
  };
}

export function processCommands(exec: Exec): Readonly<Record<string, Handler>> {
  return {
    async "core.system"(call) {
      const { name, args, dir, stdin, env } = parsed(systemSchema, call.arguments);
      const where = dir === "" ? {} : { workdir: dir };
      return await run(exec, call, { command: [name, ...args], env: env ?? {}, ...where }, stdin);
    },
    async bash(call) {
      const { script, stdin } = parsed(bashSchema, call.arguments);
      return await run(exec, call, { command: ["sh", "-c", SHELL, script] }, stdin);
    },
  };
}

async function run(
  exec: Exec,
  call: Call,
  options: Pick<ExecOptions, "command" | "env" | "workdir">,
  stdin: string,
): Promise<Answer> {
  const streams = {
    stdin: new PassThrough().end(stdin),
    stdout: lines(call, LEVEL.stdout),
    stderr: lines(call, LEVEL.stderr),
  };
  const exitCode = await exec({ ...options, tty: false, signal: call.signal }, streams);
  streams.stdout.flush();
  streams.stderr.flush();
  return { exitCode };
}

/** A stream that is told line by line; `flush` tells what stands behind the last newline. */
function lines(call: Call, level: number): Writable & { flush(): void } {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const parts = (rest + decoder.write(chunk)).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) call.line(level, part);
      // One without an end is told in pieces.
      if (rest.length > 1 << 16) {
        call.line(level, rest);
        rest = "";
      }
      done();
    },
  });
  return Object.assign(sink, {
    flush() {
      if (rest !== "") call.line(level, rest);
      rest = "";
    },
  });
}
