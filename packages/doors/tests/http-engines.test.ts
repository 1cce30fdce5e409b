import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
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
import { HttpSite, type Json } from "./http-site.ts";

setDefaultTimeout(60_000);

const node = (runtime: string, ip: string) =>
  `{kind: container, runtime: ${runtime}, image: busybox, pull: never, command: [sh, -c, "echo by ${runtime}; exec sleep 1000"], nics: [{network: lan, ip: ${ip}/24}]}`;
const LAB = `name: engines
networks: {lan: {cidr: 10.98.1.0/24}}
nodes:
  pc: {kind: netns, nics: [{network: lan, ip: 10.98.1.9/24}]}
  docker: ${node("docker", "10.98.1.1")}
  podman: ${node("podman", "10.98.1.2")}
`;

const needs = ["root", "openvswitch", "iproute2", "docker-engine", "podman", "runc"] as const;
describe.skipIf(!requires(...needs))("containers of engines over HTTP", () => {
  let before: Machine;
  let docker: DockerEngine;
  let podman: PodmanConfiguration;
  let site: HttpSite;

  beforeAll(async () => {
    before = await snapshotMachine();
    [docker, podman] = await Promise.all([startDockerEngine(), podmanConfiguration()]);
    site = await HttpSite.create({ argv: ["--rate", "0"], env: { DOCKER_HOST: docker.address, ...podman.env } });
    await site.up(LAB);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await Promise.all([docker[Symbol.asyncDispose](), podman[Symbol.asyncDispose]()]);
    await expectSameMachine(before, { ours: new RegExp(site.yard) });
  });

  test("are all reached, and told by their runtime", async () => {
    const nodes = await site.done("GET", "/nodes");
    expect(nodes.map(({ kind, runtime, state }: Json) => [kind, runtime, state])).toEqual([
      ["netns", null, "running"],
      ["container", "docker", "running"],
      ["container", "podman", "running"],
    ]);
    const { pairs } = await site.done("POST", "/pingall", { timeout: 3 });
    expect(pairs).toHaveLength(6);
    for (const { roundTrip } of pairs) expect(roundTrip).not.toBeNull();
  });

  for (const name of ["docker", "podman"])
    test(`of ${name} are entered, read and written, and stopped and started with what is in them`, async () => {
      const ran = await site.done("POST", `/nodes/${name}/exec`, {
        command: ["sh", "-c", "cat > /kept; echo no >&2"],
        input: "kept",
      });
      expect(ran).toMatchObject({ exitCode: 0, stderr: "no\n" });
      const shell = site.open(`/nodes/${name}/shell?columns=80&rows=24`);
      await shell.until(({ isOpen }) => isOpen);
      shell.type("echo in $((40 + 2))\n");
      await shell.until(({ printed }) => printed.includes("in 42"));
      shell.type("exit 4\n");
      await shell.until(({ texts }) => texts.some(({ exitCode }) => exitCode === 4));
      const put = await site.fetch(`/api/v1/nodes/${name}/files?path=/file`, { method: "PUT", body: "sent" });
      expect(put.status).toBe(200);
      expect(await (await site.fetch(`/api/v1/nodes/${name}/files?path=/file`)).text()).toBe("sent");
      expect(await (await site.fetch(`/api/v1/nodes/${name}/logs`)).text()).toBe(`by ${name}\n`);
      const { pid, nics } = await site.done("GET", `/nodes/${name}`);
      const plan = await site.done("POST", `/nodes/${name}/stop?dry_run=true`);
      expect(plan.plan).toContainEqual(expect.objectContaining({ text: `- node ${name}: stop the ${name} container` }));
      await site.done("POST", `/nodes/${name}/stop?grace=0`);
      expect((await site.done("GET", `/nodes/${name}`)).state).toBe("stopped");
      await site.done("POST", "/undo");
      const again = await site.done("GET", `/nodes/${name}`);
      expect([again.state, again.nics[0].mac, again.nics[0].state]).toEqual(["running", nics[0].mac, "up"]);
      expect(again.pid).not.toBe(pid);
      expect(await (await site.fetch(`/api/v1/nodes/${name}/files?path=/kept`)).text()).toBe("kept");
    });
});
