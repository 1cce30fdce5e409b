/** Engine, driver, agent and host started anew, in whatever order. */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
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

// Side by side, as an engine waits long for a driver.
describe.concurrent.skipIf(!dockerReady)("Docker networks", () => {
  const stopping = testSite();
  const going = testSite({ liveRestore: true });
  const waiting = testSite();
  const forgetting = testSite();

  test(
    "are whole again when an engine is restarted that stops its containers, and when the host was rebooted",
    async () => {
      const site = stopping();
      await serve(site, "plain", "10.79.2.0/24");
      await site.engine.restart();
      await served(site, "plain");
      await site.engine.restart(async () => {
        await site.stopDriver();
        await site.killAgent();
        await site.startDriver();
      });
      await served(site, "plain");
      await site.engine.restart(async () => {
        await site.powerOff();
        await site.startDriver();
      });
      await served(site, "plain");
      await remove(site, "plain");
    },
    LIMIT,
  );

  test(
    "go on while an engine whose containers run on is restarted and the driver is away, and can be joined and left then",
    async () => {
      const site = going();
      await serve(site, "live", "10.79.4.0/24");
      const pid = await site.docker("inspect", "-f", "{{.State.Pid}}", "live");
      await site.engine.restart(async () => {
        await site.stopDriver();
        await site.killAgent();
        await site.startDriver();
      });
      expect(await site.docker("inspect", "-f", "{{.State.Pid}}", "live")).toBe(pid);
      await served(site, "live");
      await site.docker("restart", "-t", "0", "live");
      await served(site, "live");
      await site.docker("network", "disconnect", "live", "live");
      expect(await site.nodes()).toEqual([]);
      await site.docker("network", "connect", "live", "live");
      await served(site, "live");
      await remove(site, "live");
    },
    LIMIT,
  );

  test(
    "without their driver: a container with a restart policy cannot be started; the driver does so once it is there",
    async () => {
      const site = waiting();
      await site.docker("network", "create", "-d", site.driver, "--subnet", "10.77.10.0/24", "boot");
      const made = ["create", "--restart", "always", "--network", "boot", "--name", "web", "-h", "web"];
      await site.docker(...made, ...SERVER);
      await site.docker("create", "--network", "boot", "--name", "other", ...SERVER);
      await site.stopDriver();
      // The engine tries for 15 s.
      expect(await site.docker("start", "web").catch(String)).toContain("failed");
      const argv = ["-H", site.engine.address, "events", "--filter", "container=web", "--filter", "event=start"];
      const events = spawn("docker", argv, { stdio: ["ignore", "pipe", "ignore"] });
      const started = once(createInterface({ input: events.stdout }), "line");
      await site.startDriver();
      await started;
      events.kill();
      expect(await site.fetchIn("boot", "http://web/")).toBe("web");
      expect(await site.docker("inspect", "-f", "{{.State.Running}}", "other")).toBe("false");
      await site.docker("rm", "-f", "web", "other");
      await site.docker("network", "rm", "boot");
    },
    LIMIT,
  );

  test(
    "that were removed while the driver was away are gone when it is back, and so are containers; the others stay",
    async () => {
      const site = forgetting();
      const create = (name: string, subnet: string) =>
        site.docker("network", "create", "-d", site.driver, "--subnet", subnet, name);
      await create("gone", "10.77.11.0/24");
      await create("kept", "10.77.12.0/24");
      for (const [name, network] of [
        ["one", "gone"],
        ["two", "kept"],
        ["three", "kept"],
      ] as const)
        await site.docker("run", "-d", "--network", network, "--name", name, ...SERVER);
      await site.stopDriver("SIGKILL");
      // Somebody who refuses all, as the engine tries each call for 15 s where nobody is.
      const socket = `/run/docker/plugins/${site.driver}.sock`;
      rmSync(socket, { force: true });
      const refusing = Bun.serve({ unix: socket, fetch: () => Response.json({ Err: "no" }, { status: 500 }) });
      await site.docker("rm", "-f", "one", "three");
      await site.docker("network", "rm", "gone");
      await refusing.stop(true);
      expect(await site.nodes()).toHaveLength(3);
      await site.startDriver();
      while ((await site.nodes()).length > 1) await Bun.sleep(50);
      expect((await site.nodes()).map(({ name }) => name)).toEqual(["two"]);
      expect((await site.networks()).map(({ name }) => name)).toEqual(["kept"]);
      await create("gone", "10.77.11.0/24");
      await site.docker("rm", "-f", "two");
      await site.docker("network", "rm", "gone", "kept");
      expect([await site.nodes(), await site.networks()]).toEqual([[], []]);
    },
    LIMIT,
  );
});
