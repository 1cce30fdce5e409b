/** Docker networks as people use them: by compose, and with many containers. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { dockerReady, SERVER, testSite } from "./docker-site.ts";

const ready = dockerReady && requires("docker-compose");
const LIMIT = 60_000;
const example = new URL("../../../examples/docker-compose.yaml", import.meta.url).pathname;

describe.skipIf(!ready)("Docker's own tools", () => {
  const site = testSite();

  test(
    "a compose file with two services and two networks comes up, and goes again",
    async () => {
      const file = join(site().folder, "docker-compose.yml");
      // The example as it is, but for the driver's name and the subnets.
      const text = readFileSync(example, "utf8").replaceAll("driver: switchyard", `driver: ${site().driver}`);
      writeFileSync(file, text.replaceAll("10.5.", "10.77."));
      const composed = (...argv: readonly string[]) =>
        run(["docker-compose", "-H", site().engine.address, "-p", "lab", "-f", file, ...argv], { timeout: LIMIT });
      await composed("up", "-d");
      expect(await site().docker("exec", "lab_client_1", "wget", "-qO-", "http://server/")).toBe("server");
      const networks = (await site().nodes()).map(({ nics }) => nics[0]?.network).sort();
      expect(networks).toEqual(["lab_back", "lab_back", "lab_front"]);
      const server = (await site().nodes()).find(({ name }) => name === "lab_server_1");
      expect(server?.nics[0]).toMatchObject({ addresses: ["10.77.2.9/24"], mac: "52:00:0a:4d:02:09" });
      await composed("down", "-t", "0");
      expect(await site().nodes()).toEqual([]);
      expect(await site().networks()).toEqual([]);
    },
    LIMIT,
  );

  test(
    "fifty containers on one network start side by side, and are reached by name and TCP",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.78.0.0/24", "many");
      const names = Array.from({ length: 50 }, (_, n) => `c${n}`);
      for (const three of chunks(names, 3))
        await Promise.all(
          three.map((name) => site().docker("run", "-d", "--name", name, "-h", name, "--network", "many", ...SERVER)),
        );
      const fetchAll = "for n in $(seq 0 49); do wget -qO- http://c$n/; done";
      expect((await site().docker("exec", "c0", "sh", "-c", fetchAll)).split("\n")).toEqual(names);
      const nics = (await site().nodes()).flatMap((node) => node.nics);
      expect(nics).toHaveLength(50);
      expect(new Set(nics.map(({ addresses }) => addresses[0])).size).toBe(50);
      // One by one: this engine miscounts the ends in a network when several go at once (moby issue 42119).
      for (const name of names) await site().docker("rm", "-f", name);
      await site().docker("network", "rm", "many");
      expect([await site().nodes(), await site().networks()]).toEqual([[], []]);
    },
    3 * LIMIT,
  );
});

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));
}
