import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { connect, createServer } from "node:net";
import { inNamespace } from "@switchyard/linux";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  type PodmanConfiguration,
  podmanConfiguration,
  requires,
  snapshotMachine,
  startDockerEngine,
} from "@switchyard/testing";
import { nodeNamespace } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const NAME = `tleasep${process.pid}`;
/** One number for all: what tells them apart is the address and the protocol. */
const PORT = 20_000 + (process.pid % 10_000);
/** The nodes, of which one's name and address begins as another's does. */
const RUNTIMES = { n1: "netns", n10: "oci", n11: "podman", n2: "docker" } as const;
type NodeName = keyof typeof RUNTIMES;
const NODES = ["n1", "n10", "n11", "n2"] as const satisfies readonly NodeName[];
const addressOf = (node: NodeName) => `127.0.0.${node.slice(1)}`;

function lab(network: string, nodes: readonly NodeName[] = NODES): string {
  const text = nodes.map((name) => {
    const ports = `ports: ["${addressOf(name)}:${PORT}:7/udp", "${addressOf(name)}:${PORT}:7"]`;
    const kind =
      RUNTIMES[name] === "netns"
        ? "kind: netns"
        : `kind: container, runtime: ${RUNTIMES[name]}, image: busybox, pull: never, command: [sleep, "1000"]`;
    return `  ${name}: { ${kind}, ${ports}, nics: [${network}] }`;
  });
  return `
name: published
networks:
  lan: { cidr: 10.90.1.0/24 }
  home: { type: nat, cidr: 10.90.2.0/24 }
nodes:
${text.join("\n")}
`;
}

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "podman", "docker-engine", "nftables", "dnsmasq"))(
  "published ports",
  () => {
    let before: Machine;
    let yard: LiveYard;
    let engine: DockerEngine | undefined;
    let podman: PodmanConfiguration | undefined;

    beforeAll(async () => {
      before = await snapshotMachine();
      podman = await podmanConfiguration();
      Object.assign(process.env, podman.env);
      engine = await startDockerEngine();
      yard = await LiveYard.create(NAME, { environment: { DOCKER_HOST: engine.address } });
      chmodSync(yard.folder, 0o711);
    });
    afterAll(async () => {
      try {
        await yard[Symbol.asyncDispose]();
      } finally {
        for (const key of Object.keys(podman?.env ?? {})) delete process.env[key];
        await podman?.[Symbol.asyncDispose]();
        await engine?.[Symbol.asyncDispose]();
      }
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    /** Answers on port 7 of each node, by its name. */
    async function answering(nodes: readonly NodeName[]): Promise<AsyncDisposable> {
      await using stack = new AsyncDisposableStack();
      for (const node of nodes) {
        const there = { name: nodeNamespace(NAME, node) };
        const tcp = createServer((client) => client.on("error", () => {}).end(node));
        stack.defer(() => void tcp.close());
        const listening = once(tcp, "listening");
        inNamespace(there, () => void tcp.listen(7, "0.0.0.0"));
        await listening;
        const udp = await inNamespace(there, () => ({
          bound: Bun.udpSocket({
            hostname: "0.0.0.0",
            port: 7,
            socket: { data: (self, data, port, address) => void self.send(`${node} ${data}`, port, address) },
          }),
        })).bound;
        stack.defer(() => udp.close());
      }
      return stack.move();
    }

    for (const network of ["lan", "home"])
      test(`of netns, oci, podman and docker on a ${network === "lan" ? "lan" : "nat"} are each their own, over UDP and TCP`, async () => {
        expect((await yard.up(lab(network))).failures).toEqual([]);
        await using _answers = await answering(NODES);
        for (const node of NODES) {
          expect(await overUdp(addressOf(node), "a")).toBe(`${node} a`);
          expect(await overTcp(addressOf(node))).toBe(node);
        }
      });

    test("of one node go with it, and leave those whose names and addresses begin alike", async () => {
      const rest = NODES.filter((name) => name !== "n1");
      expect((await yard.up(lab("lan", rest))).failures).toEqual([]);
      await using _answers = await answering(rest);
      await expect(overUdp(addressOf("n1"), "b")).rejects.toThrow();
      for (const node of rest) expect(await overUdp(addressOf(node), "b")).toBe(`${node} b`);
    });

    test("that another lab's node has already are refused, but for those of another protocol or address", async () => {
      const other = (port: string) => `name: other\nnodes: { o: { kind: netns, ports: ["${port}"] } }\n`;
      for (const port of [`127.0.0.10:${PORT}:9/udp`, `${PORT}:9/udp`, `0.0.0.0:${PORT}:9`])
        await expect(yard.up(other(port))).rejects.toMatchObject({ code: "port.taken" });
      expect((await yard.up(other(`127.0.0.77:${PORT}:9/udp`))).failures).toEqual([]);
      expect((await yard.up(other(`127.0.0.10:${PORT + 1}:9/udp`))).failures).toEqual([]);
    });
  },
);

function overUdp(address: string, text: string): Promise<string> {
  const socket = createSocket("udp4");
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${address} did not answer`)), 10_000);
    socket.once("message", (answer) => {
      clearTimeout(timer);
      resolve(answer.toString());
    });
    socket.once("error", reject);
    // Connected, so that a refusal is told.
    socket.connect(PORT, address, () => socket.send(text));
  }).finally(() => socket.close());
}

async function overTcp(address: string): Promise<string> {
  const client = connect(PORT, address);
  client.setTimeout(10_000, () => client.destroy(new Error(`${address} did not answer`)));
  let answer = "";
  for await (const chunk of client) answer += String(chunk);
  return answer;
}
