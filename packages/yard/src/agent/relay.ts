/**
 * Published ports: a process of the yard that listens in the host's namespace and connects inside the node's. It
 * outlives the agent, so that connections do, and follows its configuration file.
 */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { backoff } from "@switchyard/base";
import { type ChangedNames, inNamespace, watchFolder } from "@switchyard/linux";
import { z } from "zod";
import { namespaceRef } from "./names.ts";
import { reporter, type ServiceFailure } from "./service-report.ts";
import { purposeOf } from "./subject.ts";

/** One published port. */
export const forwardSchema = z.strictObject({
  /** The node it belongs to. */
  node: z.string(),
  protocol: z.enum(["tcp", "udp"]),
  /** Where it listens on the host. */
  address: z.string(),
  port: z.number().int(),
  /** The namespace, by name or {@link HOST}, and the address in it that it connects to. */
  namespace: z.string(),
  targetAddress: z.string(),
  targetPort: z.number().int(),
});
export type Forward = z.infer<typeof forwardSchema>;

const relayConfigSchema = z.strictObject({ forwards: z.array(forwardSchema) });
export type RelayConfig = z.infer<typeof relayConfigSchema>;

/** How long an idle UDP exchange is remembered, in milliseconds. */
const UDP_IDLE = 60_000;

/** Milliseconds until a port that is taken is tried again, as nothing tells when it is free: at first, and at most. */
const RETRY = [250, 2_000] as const;

/** Runs until `signal` aborts. */
export async function runRelay(file: string, signal: AbortSignal): Promise<void> {
  const listeners = new Map<string, Disposable>();
  const report = reporter(file);
  let retry: Timer | undefined;
  let waits = backoff(...RETRY);
  const converge = async () => {
    const text = readFileSync(file, "utf8");
    const wanted = new Map(relayConfigSchema.parse(JSON.parse(text)).forwards.map((one) => [JSON.stringify(one), one]));
    for (const [key, listener] of listeners) {
      if (wanted.has(key)) continue;
      listener[Symbol.dispose]();
      listeners.delete(key);
    }
    const failures: ServiceFailure[] = [];
    for (const [key, forward] of wanted) {
      if (listeners.has(key)) continue;
      try {
        listeners.set(key, forward.protocol === "tcp" ? listenTcp(forward) : await listenUdp(forward));
      } catch (error) {
        failures.push({
          purpose: purposeOf({ kind: "node", node: forward.node }),
          message: `host port ${forward.address}:${forward.port}/${forward.protocol} cannot be listened on: ${(error as Error).message}`,
        });
      }
    }
    clearTimeout(retry);
    if (failures.length === 0) waits = backoff(...RETRY);
    else retry = setTimeout(changed, waits.next().value);
    report({ config: text, failures });
  };

  // One convergence at a time; a change that comes meanwhile is taken up after it.
  let running = Promise.resolve();
  const changed = () => {
    running = running.then(converge).catch((error) => console.error(String(error)));
  };
  const told = (names: ChangedNames) => {
    if (names === undefined || names.has(basename(file))) changed();
  };
  using _watch = watchFolder(dirname(file), told, { writes: true });
  changed();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  clearTimeout(retry);
  for (const listener of listeners.values()) listener[Symbol.dispose]();
}

/** One side of a relayed connection: what its peer still has to take. */
interface Side {
  other: Bun.Socket<Side> | undefined;
  /** Received but not yet written to `other`. */
  pending: Uint8Array;
  /** Our end was closed: `other` is closed for writing once `pending` is through. */
  ended: boolean;
}

const newSide = (other?: Bun.Socket<Side>): Side => ({ other, pending: new Uint8Array(0), ended: false });

/** Passes on what `side` still holds; reading pauses while the other end is slower. */
function flush(from: Bun.Socket<Side>): void {
  const side = from.data;
  if (side.other === undefined) return;
  if (side.pending.length > 0) {
    const written = Math.max(side.other.write(side.pending), 0);
    side.pending = side.pending.subarray(written);
    side.other.flush();
  }
  if (side.pending.length > 0) from.pause();
  else {
    from.resume();
    if (side.ended) side.other.shutdown();
  }
}

const relayHandlers: Bun.SocketHandler<Side> = {
  data(socket, chunk) {
    const side = socket.data;
    side.pending = side.pending.length === 0 ? Uint8Array.from(chunk) : Buffer.concat([side.pending, chunk]);
    flush(socket);
  },
  drain(socket) {
    if (socket.data.other) flush(socket.data.other);
  },
  end(socket) {
    socket.data.ended = true;
    flush(socket);
  },
  close(socket) {
    const { other } = socket.data;
    socket.data.other = undefined;
    if (other?.data.other) {
      other.data.other = undefined;
      other.end();
    }
  },
  error(socket) {
    socket.terminate();
  },
};

function listenTcp(forward: Forward): Disposable {
  const server = Bun.listen<Side>({
    hostname: forward.address,
    port: forward.port,
    allowHalfOpen: true,
    socket: {
      ...relayHandlers,
      open(client) {
        client.data = newSide();
        client.pause();
        // The socket is made before Bun.connect returns, hence in the node's namespace.
        connectIn(forward.namespace, () =>
          Bun.connect<Side>({
            hostname: forward.targetAddress,
            port: forward.targetPort,
            allowHalfOpen: true,
            data: newSide(client),
            socket: {
              ...relayHandlers,
              open(upstream) {
                client.data.other = upstream;
                flush(client);
              },
              connectError() {
                client.terminate();
              },
            },
          }),
        ).catch(() => client.terminate());
      },
    },
  });
  return { [Symbol.dispose]: () => server.stop(true) };
}

/** What a closed port has refused: a datagram that got lost. */
const lost = () => {};

async function listenUdp(forward: Forward): Promise<Disposable> {
  const flows = new Map<string, { socket: Promise<Bun.udp.ConnectedSocket<"buffer">>; timer: Timer }>();
  const server = await Bun.udpSocket({
    hostname: forward.address,
    port: forward.port,
    socket: {
      error: lost,
      data(self, data, port, address) {
        const key = `${address} ${port}`;
        let flow = flows.get(key);
        if (!flow) {
          const socket = connectIn(forward.namespace, () =>
            Bun.udpSocket({
              hostname: forward.targetAddress.includes(":") ? "::" : "0.0.0.0",
              connect: { hostname: forward.targetAddress, port: forward.targetPort },
              socket: { data: (_socket, reply) => void self.send(reply, port, address), error: lost },
            }),
          );
          flow = { socket, timer: setTimeout(() => forget(key), UDP_IDLE) };
          flows.set(key, flow);
          socket.catch(() => forget(key));
        }
        flow.timer.refresh();
        flow.socket.then((socket) => socket.send(data)).catch(() => {});
      },
    },
  });
  const forget = (key: string) => {
    const flow = flows.get(key);
    flows.delete(key);
    clearTimeout(flow?.timer);
    flow?.socket.then((socket) => socket.close()).catch(() => {});
  };
  return {
    [Symbol.dispose]() {
      for (const key of flows.keys()) forget(key);
      server.close();
    },
  };
}

/**
 * Starts a connection inside a namespace; one that is gone is a rejection, as a refused connection is. Only the socket
 * is made there: the promise is boxed, as the body itself has to be synchronous.
 */
function connectIn<R>(namespace: string, start: () => Promise<R>): Promise<R> {
  try {
    return inNamespace(namespaceRef(namespace), () => ({ started: start() })).started;
  } catch (error) {
    return Promise.reject(error);
  }
}
