/** Docker networks whose driver, or the yard's agent, is killed in the middle of things. */
import { describe, expect, test } from "bun:test";
import { dockerReady, SERVER, testSite } from "./docker-site.ts";

const LIMIT = 90_000;

/** Every call that changes something. */
const CALLS = [
  "IpamDriver.RequestPool",
  "IpamDriver.RequestAddress",
  "NetworkDriver.CreateNetwork",
  "NetworkDriver.CreateEndpoint",
  "NetworkDriver.Join",
  "NetworkDriver.ProgramExternalConnectivity",
  "NetworkDriver.RevokeExternalConnectivity",
  "NetworkDriver.Leave",
  "NetworkDriver.DeleteEndpoint",
  "IpamDriver.ReleaseAddress",
  "NetworkDriver.DeleteNetwork",
  "IpamDriver.ReleasePool",
];

describe.skipIf(!dockerReady)("a Docker network, when its driver dies", () => {
  const site = testSite();

  /** A network, a container on it that is reached over a published port, and both gone again. */
  async function session(subnet: string, port: number): Promise<void> {
    const create = ["network", "create", "-d", site().driver, "--ipam-driver", site().driver, "--subnet", subnet];
    await site().docker(...create, "office");
    const published = ["-p", `127.0.0.1:${port}:80`];
    await site().docker("run", "-d", "--network", "office", "--name", "web", "-h", "web", ...published, ...SERVER);
    // It serves a moment after it was started.
    await site().docker("exec", "web", "sh", "-c", "until wget -qO- http://127.0.0.1/; do sleep 0.1; done");
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("web\n");
    await site().docker("rm", "-f", "web");
    await site().docker("network", "rm", "office");
  }

  test(
    "in every call, the engine's repetition has its way, and nothing is left",
    async () => {
      const killed = new Set<string>();
      site().onAsked = (method) => {
        if (!CALLS.includes(method) || killed.has(method)) return;
        killed.add(method);
        void site()
          .stopDriver("SIGKILL")
          .then(() => site().startDriver());
      };
      await session("10.79.0.0/24", 18_979);
      site().onAsked = () => {};
      expect([...killed].sort()).toEqual(CALLS.toSorted());
      expect([await site().nodes(), await site().networks()]).toEqual([[], []]);
      // Nor any address: the same network can be had again.
      await session("10.79.0.0/24", 18_979);
    },
    LIMIT,
  );

  test(
    "the yard's agent may die too",
    async () => {
      const killed = new Set<string>();
      site().onAsked = (method) => {
        if (killed.has(method)) return;
        killed.add(method);
        if (method === "NetworkDriver.CreateNetwork" || method === "NetworkDriver.Join") void site().killAgent();
      };
      await session("10.79.1.0/24", 18_978);
      site().onAsked = () => {};
      expect([await site().nodes(), await site().networks()]).toEqual([[], []]);
    },
    LIMIT,
  );
});
