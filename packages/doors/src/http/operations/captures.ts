import { type CaptureOptions, capture, captureAgent, WHOLE_FRAME } from "@switchyard/yard/capture";
import { z } from "zod";
import { withAgent } from "../change.ts";
import type { Site } from "../ground.ts";
import { json, type Operation, raw, socket } from "../operation.ts";
import { streamOf } from "../stream.ts";
import { nicAt } from "./nics.ts";

const tag = "captures";
const query = z.strictObject({
  filter: z.string().max(10_000).default("").describe("Which frames, as pcap-filter(7) has it."),
  snaplen: z.coerce.number().int().min(1).max(262_144).default(WHOLE_FRAME).describe("Bytes kept of each frame."),
  count: z.coerce.number().int().min(1).optional().describe("Frames after which it ends."),
  duration: z.coerce.number().positive().max(2_000_000).optional().describe("Seconds after which it ends."),
});

/** Where frames go: whole blocks of pcapng. */
interface Sink {
  readonly gone: AbortSignal;
  send(bytes: Uint8Array): Promise<void>;
}

export const captures: readonly Operation[] = [
  socket({
    id: "watchCapture",
    path: "/nodes/{node}/nics/{nic}/capture",
    role: "operate",
    tag,
    summary: "What passes a nic, live, as pcapng.",
    description:
      'A WebSocket. First comes the text `{"listening":true}`; then binary messages, each of whole blocks of pcapng, all of them together a file; at the end the text `{"captured":…,"received":…,"dropped":…}`, or `{"error":…}`. The client ends it by the text `{"end":true}`, or by leaving.',
    query,
    handle: ({ site, params, query, note }) => {
      note(`capture ${query.filter === "" ? "all" : "filtered"}`);
      const at = nicAt(site, params);
      return {
        run: (peer) => {
          const told = new AbortController();
          peer.input.resume().on("end", () => told.abort());
          const sink = {
            gone: AbortSignal.any([peer.gone, told.signal]),
            send: (bytes: Uint8Array) => peer.send(bytes),
          };
          return copy(site, at, query, sink, () => peer.tell({ listening: true }));
        },
      };
    },
  }),
  raw({
    id: "getCapture",
    method: "GET",
    path: "/nodes/{node}/nics/{nic}/capture.pcapng",
    role: "operate",
    tag,
    summary: "The same as a file that goes on: `curl … | wireshark -k -i -`.",
    query,
    gives: "application/x-pcapng",
    handle: async ({ site, params, query, gone, note }) => {
      note(`capture ${query.filter === "" ? "all" : "filtered"}`);
      const at = nicAt(site, params);
      const { stream, body } = streamOf(gone);
      const listening = Promise.withResolvers<void>();
      const done = copy(site, at, query, stream, listening.resolve);
      await Promise.race([listening.promise, done]);
      done.then(
        () => stream.end(),
        (error: unknown) => stream.fail(error),
      );
      const name = `${at.node.name}-${at.nic.name}.pcapng`;
      const headers = {
        "content-type": "application/x-pcapng",
        "content-disposition": `attachment; filename="${name}"`,
      };
      return new Response(body, { headers });
    },
  }),
  json({
    id: "listCaptures",
    method: "GET",
    path: "/captures",
    role: "read",
    tag,
    summary: "The nics that somebody captures from now.",
    reply: z.array(z.strictObject({ node: z.string(), nic: z.string(), port: z.string() })),
    handle: async ({ site }) => {
      await using agent = await captureAgent(site.paths);
      const ports = new Set(await agent.captured());
      return site
        .inside()
        .view.nodes.flatMap((node) =>
          node.nics.flatMap(({ name, port }) => (ports.has(port) ? [{ node: node.name, nic: name, port }] : [])),
        );
    },
  }),
];

async function copy(
  site: Site,
  { node, nic }: ReturnType<typeof nicAt>,
  { filter, snaplen, count, duration }: z.infer<typeof query>,
  sink: Sink,
  onListening: () => void,
) {
  // One that died is started first.
  await withAgent(site, async () => {});
  await using agent = await captureAgent(site.paths);
  const signal = AbortSignal.any([site.signal, sink.gone]);
  const limits = { filter, snaplen, count, duration: duration === undefined ? undefined : duration * 1_000 };
  const options: CaptureOptions = { ...limits, ...site.captureDefaults, signal };
  const at = { view: site.inside().view, node, nic };
  const open = (head: Buffer) => {
    void sink.send(head);
    return { gone: sink.gone, write: (blocks: Buffer) => sink.send(blocks), [Symbol.dispose]: () => {} };
  };
  return await capture(agent, at, options, open, onListening);
}
