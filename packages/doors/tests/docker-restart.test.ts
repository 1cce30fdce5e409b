/** Engine, driver, agent and host started anew, in whatever order. */
import { describe, expect, test } from "bun:test";
import { type DockerSite, dockerReady, SERVER, testSite } from "./docker-site.ts";

const LIMIT = 90_000;

/** A network with a server on it that its engine is to start again. */
async function serve(site: DockerSite, name: string, subnet: string): Promise<void> {
  await site.docker("network", "create", "-d", site.driver, "--subnet", subnet, name);
  const always = [
    "run",
    "-d",
    "--restart",
    "always",
    "--stop-timeout",
    "0",
    "--network",
    name,
    "--name",
    name,
    "-h",
    name,
  ];
  await site.docker(...always, ...SERVER);
}

/** Once it answers; its engine, or the driver, may be at it yet. */
async function served(site: DockerSite, name: string): Promise<void> {
  const argv = ["run", "--rm", "--network", name, "busybox", "timeout", "20", "sh", "-c"];
  const body = await site.docker(...argv, `until wget -qO- http://${name}/; do sleep 0.2; done`);
  expect(body).toContain(name);
  expect((await site.nodes()).map((node) => [node.name, node.nics[0]?.state])).toEqual([[name, "up"]]);
}

async function remove(site: DockerSite, name: string): Promise<void> {
  await site.docker("rm", "-f", name);
  await site.docker("network", "rm", name);
  expect([await site.nodes(), await site.networks()]).toEqual([[], []]);
}

describe.skipIf(!dockerReady)("Docker networks, with an engine that stops its containers when it ends", () => {
  const site = testSite();

  test(
    "are whole again when the engine is restarted, with the driver there, and while it is away",
    async () => {
      await serve(site(), "plain", "10.79.2.0/24");
      await site().engine.restart();
      await served(site(), "plain");
      await site().engine.restart(async () => {
        await site().stopDriver();
        await site().killAgent();
        await site().startDriver();
      });
      await served(site(), "plain");
      await remove(site(), "plain");
    },
    LIMIT,
  );

  test(
    "are whole again when the host was rebooted, with the containers that were to start again",
    async () => {
      await serve(site(), "boot", "10.79.3.0/24");
      await site().engine.restart(async () => {
        await site().powerOff();
        await site().startDriver();
      });
      await served(site(), "boot");
      await remove(site(), "boot");
    },
    LIMIT,
  );
});

describe.skipIf(!dockerReady)("Docker networks, with an engine whose containers run on when it ends", () => {
  const site = testSite({ liveRestore: true });

  test(
    "go on while it is restarted and the driver is away, and can be joined, left and restarted afterwards",
    async () => {
      await serve(site(), "live", "10.79.4.0/24");
      const pid = await site().docker("inspect", "-f", "{{.State.Pid}}", "live");
      await site().engine.restart(async () => {
        await site().stopDriver();
        await site().killAgent();
        await site().startDriver();
      });
      expect(await site().docker("inspect", "-f", "{{.State.Pid}}", "live")).toBe(pid);
      await served(site(), "live");
      await site().docker("restart", "-t", "0", "live");
      await served(site(), "live");
      await site().docker("network", "disconnect", "live", "live");
      expect(await site().nodes()).toEqual([]);
      await site().docker("network", "connect", "live", "live");
      await served(site(), "live");
      await remove(site(), "live");
    },
    LIMIT,
  );
});
