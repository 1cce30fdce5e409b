import { connect } from "node:net";

/** A client of zero-os at its barest: jobs are pushed, and their results waited for. */
export interface JobClient extends Disposable {
  /** @returns the job's answer @throws Error what kept it from being done */
  run(command: string, args: object, tags?: readonly string[]): Promise<unknown>;
  /** The same in a container. */
  runIn(container: unknown, command: string, args: object): Promise<unknown>;
}

/** Connects to what `yard serve --zeroos` serves. */
export async function jobClient(port: number): Promise<JobClient> {
  const socket = connect(port, "127.0.0.1");
  let heard = "";
  let told = Promise.withResolvers<void>();
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("utf8");
    told.resolve();
  });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  /** Sends a request and waits for its whole answer, a number or a bulk string. */
  const ask = async (...words: readonly string[]): Promise<string> => {
    heard = "";
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`);
    for (;;) {
      told = Promise.withResolvers<void>();
      const [line = "", ...rest] = heard.split("\r\n");
      const whole = heard.endsWith("\r\n") && (!line.startsWith("$") || rest.length > 1);
      if (whole && line.startsWith("-")) throw new Error(line);
      if (whole) return rest.slice(0, -1).join("\r\n") || line;
      await told.promise;
    }
  };
  const resultOf = async (id: string): Promise<unknown> => {
    const result: unknown = JSON.parse(await ask("BRPOPLPUSH", `result:${id}`, `result:${id}`, "60"));
    const { state, data } = Object(result);
    if (state !== "SUCCESS") throw new Error(data);
    return JSON.parse(data);
  };
  const run = async (command: string, args: object, tags: readonly string[] = []) => {
    const id = crypto.randomUUID();
    await ask("RPUSH", "core:default", JSON.stringify({ id, command, arguments: args, tags }));
    return await resultOf(id);
  };
  return {
    run,
    runIn: async (container, command, args) =>
      await resultOf(String(await run("corex.dispatch", { container, command: { command, arguments: args } }))),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
