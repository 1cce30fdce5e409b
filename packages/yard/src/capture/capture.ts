import { createReadStream } from "node:fs";
import { errnoOf, YardError } from "@switchyard/base";
import { portName } from "@switchyard/vswitch";
import type { CaptureProgress, CaptureReply } from "../agent/captures.ts";
import { type AgentClient, connectAgent } from "../agent/client.ts";
import type { YardPaths } from "../agent/paths.ts";
import type { NicView, NodeView, YardView } from "../view/types.ts";
import { PcapReader } from "./pcap.ts";
import { type CapturedInterface, head, packets, statistics } from "./pcapng.ts";

/** More than any frame: what a switch passes on at once is 64 KiB, in front of which stand its headers. */
export const WHOLE_FRAME = 65_600;

/** What to capture, and how much of it. */
export interface CaptureOptions {
  /** As pcap-filter(7) has it; empty: all frames. */
  readonly filter: string;
  /** Bytes of each frame that are kept. */
  readonly snaplen: number;
  /** Frames after which it ends. */
  readonly count: number | undefined;
  /** Milliseconds after which it ends. */
  readonly duration: number | undefined;
  /** Bytes that the kernel holds while we are slow. */
  readonly buffer: number;
  /** What a reader is told that wrote the file. */
  readonly application: string;
  /** Ends it in good order. */
  readonly signal: AbortSignal;
}

/** Takes whole blocks, so that what has been written can be read whatever happens next. */
export interface CaptureOutput extends Disposable {
  /** Aborts when its reader has gone, which a writer learns of only when there is something to write. */
  readonly gone?: AbortSignal | undefined;
  /** @throws YardError `capture.disk-full`, `capture.unwritable` */
  write(blocks: Buffer): void | Promise<void>;
}

/** What a capture has come to. */
export interface CaptureResult {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
}

/** The yard's agent, which makes captures. @throws YardError `capture.no-agent` */
export async function captureAgent(paths: YardPaths): Promise<AgentClient> {
  const { yard } = paths;
  const agent = await connectAgent(paths);
  if (agent !== undefined) return agent;
  throw new YardError("capture.no-agent", `no agent of this version runs in yard "${yard}"`, {
    hint: `start it, or start it anew: sudo yard -y ${yard} agent`,
  });
}

/**
 * Writes what passes a nic, as pcapng, until `signal` aborts, time or count is reached, or the nic goes away.
 *
 * @param open makes the output, once the capture is under way; told how every file begins
 * @param onListening called when frames are seen from now on
 * @throws YardError `capture.ended`, those of the agent's `capture` and of the output
 */
export async function capture(
  agent: AgentClient,
  at: { readonly view: YardView; readonly node: NodeView; readonly nic: NicView },
  options: CaptureOptions,
  open: (head: Buffer) => CaptureOutput,
  onListening: () => void = () => {},
): Promise<CaptureResult> {
  const { filter, snaplen, count, buffer, signal } = options;
  const first = Promise.withResolvers<CaptureProgress>();
  let timer: Timer | undefined;
  const stop = () => void first.promise.then(({ id }) => agent.stopCapture(id)).catch(() => {});
  // That of a guest may have another name, which it has once it is there.
  const port = (at.node.kind === "guest" ? at.nic.port : "") || portName(at.node.objId, at.nic.index);
  const reply = agent.capture(
    { port, filter, snaplen, buffer, ...(count === undefined ? {} : { count }) },
    (progress) => {
      first.resolve(progress);
      if (!progress.listening) return;
      if (options.duration !== undefined) timer = setTimeout(stop, options.duration);
      onListening();
    },
  );
  reply.catch(first.reject);
  const began = Date.now();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const { stream } = await first.promise;
    const start = head(options.application, interfaceOf(at, options));
    using output = open(start);
    output.gone?.addEventListener("abort", stop, { once: true });
    const captured = await copy(stream, output);
    const ended = await reply;
    const result = { ...(ended.statistics ?? { received: captured, dropped: 0 }), captured };
    const { received: accepted, dropped } = result;
    await output.write(statistics({ accepted, delivered: captured, dropped, began, ended: Date.now() }));
    throwIfBroken(ended, at);
    return result;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function copy(stream: string, output: CaptureOutput): Promise<number> {
  const reader = new PcapReader();
  let captured = 0;
  try {
    for await (const chunk of createReadStream(stream)) {
      const frames = [...reader.read(chunk)];
      captured += frames.length;
      if (frames.length > 0) await output.write(packets(frames));
    }
  } catch (error) {
    // Where whoever reads our output leaves at once, or the capture ends by itself, the stream goes before it is opened;
    // the agent's reply tells which.
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  return captured;
}

function interfaceOf(
  { view, node, nic }: { readonly view: YardView; readonly node: NodeView; readonly nic: NicView },
  { filter, snaplen }: CaptureOptions,
): CapturedInterface {
  const place = nic.bridge === "" ? "" : ` on bridge ${nic.bridge}`;
  return {
    name: `${node.name}:${nic.name}`,
    description: `port ${nic.port}${place} of yard ${view.yard}`,
    mac: nic.mac,
    filter,
    snaplen,
  };
}

function throwIfBroken({ problem }: CaptureReply, { node, nic }: { readonly node: NodeView; readonly nic: NicView }) {
  if (problem === undefined) return;
  throw new YardError("capture.ended", `the capture of ${node.name}:${nic.name} ended by itself: ${problem}`, {
    hint: "the nic may have gone; what was captured until then has been written",
  });
}
