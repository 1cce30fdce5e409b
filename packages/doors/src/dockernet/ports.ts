/** The ports that Docker publishes. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { YardError } from "@switchyard/base";
import type { PortForward } from "@switchyard/yard/model";
import type { PortMap } from "./protocol.ts";

export type PublishedPort = PortMap[number];

/**
 * As the yard forwards them; where none of the host's is named, with one that is free now.
 *
 * @throws YardError `dockernet.bad-request` for a protocol other than TCP and UDP
 */
export function publishedPorts(wanted: readonly PublishedPort[]): Promise<PortForward[]> {
  return Promise.all(
    wanted.map(async ({ Proto, Port, HostIP, HostPort }) => {
      const protocol = protocolOf(Proto);
      const hostPort = HostPort === 0 ? await freePort(protocol, HostIP) : HostPort;
      return { address: HostIP, hostPort, nodePort: Port, protocol };
    }),
  );
}

function protocolOf(number: number): PortForward["protocol"] {
  if (number === 6) return "tcp";
  if (number === 17) return "udp";
  throw new YardError(
    "dockernet.bad-request",
    `only TCP and UDP ports can be published, not those of protocol ${number}`,
  );
}

/** One that the kernel has chosen, and that was given back. */
async function freePort(protocol: PortForward["protocol"], address: string | undefined): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const host = address ?? "0.0.0.0";
  if (protocol === "tcp") {
    const server = createServer().once("error", reject);
    server.listen(0, host, () => {
      const at = server.address();
      server.close(() => resolve(typeof at === "object" && at !== null ? at.port : 0));
    });
  } else {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4").once("error", reject);
    socket.bind(0, host, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  }
  return await promise;
}
