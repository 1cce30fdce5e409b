import { type Ip, YardError } from "@switchyard/base";
import { collectText, execInNamespace } from "@switchyard/runtime";

/** What a measurement came to. */
export interface IperfResult {
  /** Bits a second, as the receiver saw them. */
  readonly bitsPerSecond: number;
  readonly retransmits: number | null;
  readonly seconds: number;
}

/** How to measure. */
export interface IperfOptions {
  readonly seconds: number;
  /** Streams side by side. */
  readonly parallel: number;
  /** From the server to the client instead. */
  readonly reverse: boolean;
  readonly signal: AbortSignal;
}

/**
 * Measures TCP throughput between two namespaces with the host's iperf3, entered into both.
 *
 * @param server the namespace that has the address
 * @throws YardError `iperf.missing`, `iperf.failed`
 */
export async function iperf(client: string, server: string, address: Ip, options: IperfOptions): Promise<IperfResult> {
  const program = Bun.which("iperf3");
  if (program === null)
    throw new YardError("iperf.missing", "the program iperf3 is not installed on this host", {
      hint: "apt-get install iperf3",
    });
  // Any port that is free in the node; what ephemeral ports and well-known services take is left alone.
  const port = String(20_000 + Math.floor(Math.random() * 10_000));
  using serving = await startServer(server, [program, "-s", "-1", "-p", port, "--forceflush"], options.signal);
  const output = collectText();
  const command = [
    ...[program, "-c", address, "-p", port, "-t", String(options.seconds), "-P", String(options.parallel)],
    ...["--connect-timeout", "3000", "--json", ...(options.reverse ? ["-R"] : [])],
  ];
  const streams = { stdin: undefined, stdout: output.stream, stderr: output.stream };
  const code = await execInNamespace(client, { command, tty: false, signal: options.signal }, streams);
  options.signal.throwIfAborted();
  await serving.ended;
  return parseReport(output.text(), code);
}

interface Server extends Disposable {
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
}

/** Starts the server and waits until it says that it listens. */
async function startServer(namespace: string, command: readonly string[], signal: AbortSignal): Promise<Server> {
  const stop = new AbortController();
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  const said = collectText((text) => {
    if (text.includes("Server listening")) resolve();
  });
  const ended = execInNamespace(
    namespace,
    { command, tty: false, signal: AbortSignal.any([signal, stop.signal]) },
    { stdin: undefined, stdout: said.stream, stderr: said.stream },
  ).then(
    () => reject(new YardError("iperf.failed", `the server ended: ${said.text().trim()}`)),
    (error: unknown) => reject(error),
  );
  await listening;
  return { ended, [Symbol.dispose]: () => stop.abort() };
}

/** Reads iperf3's report. @throws YardError `iperf.failed` */
export function parseReport(text: string, code: number): IperfResult {
  const report = json(text);
  const error = member(report, "error");
  if (typeof error === "string") throw new YardError("iperf.failed", `iperf3: ${error}`);
  const received = member(member(report, "end"), "sum_received");
  const bits = member(received, "bits_per_second");
  const seconds = member(received, "seconds");
  const retransmits = member(member(member(report, "end"), "sum_sent"), "retransmits");
  if (typeof bits !== "number" || typeof seconds !== "number")
    throw new YardError(
      "iperf.failed",
      `iperf3 ended with exit code ${code} and no result: ${text.trim().slice(0, 200)}`,
    );
  return { bitsPerSecond: bits, seconds, retransmits: typeof retransmits === "number" ? retransmits : null };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
