import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@switchyard/base";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  requires,
  snapshotMachine,
  startDockerEngine,
} from "@switchyard/testing";
import { containerName } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const LAB = `
name: days
networks: { lan: { cidr: 10.84.1.0/24 } }
nodes:
  host: { kind: netns, count: 2, nics: [lan] }
  web: { kind: container, runtime: docker, image: busybox, pull: never, command: [sleep, "1000"], exec: [[sh, -c, "echo ran >> /tmp/ran"]],
         nics: [ { network: lan, ip: 10.84.1.80/24 }, { network: lan, vlan: 5 } ] }
`;
const absent = LAB.replace(
  "  web:",
  "  ghost: { kind: container, runtime: docker, image: absent, pull: never, nics: [lan] }\n  web:",
);

const NAME = `tdocker${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "docker-engine", "ping"))("containers of a Docker engine", () => {
  const folder = mkdtempSync(join(tmpdir(), "tyard-engine-"));
  const socket = join(folder, "docker.sock");
  const container = containerName(NAME, "web");
  let before: Machine;
  let yard: LiveYard;
  let engine: DockerEngine | undefined;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME, { environment: { DOCKER_HOST: `unix://${socket}` } });
  });
  afterAll(async () => {
    try {
      await yard[Symbol.asyncDispose]();
    } finally {
      await engine?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    }
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });

  const docker = (...args: readonly string[]) =>
    run(["docker", "-H", `unix://${socket}`, ...args], { timeout: 30_000 });
  const running = (than = 0) =>
    yard.until(({ nodes }) => {
      const { status, nics } = nodes.find(({ name }) => name === "web") ?? {};
      const wired = nics?.every((nic) => nic.status.state === "up");
      return status?.state === "running" && wired && status.pid !== than && status;
    });
  const runningPid = async () => {
    await running();
    return await yard.nodePid("web");
  };
  /** MAC and addresses of every nic. */
  const nics = async () => {
    const outputs = [await yard.in("web", "ip", "-br", "link"), await yard.in("web", "ip", "-br", "-4", "address")];
    return outputs.flatMap(({ stdout }) => [...stdout.matchAll(/^(eth\d)\S* +UP +(\S+)/gm)].map((it) => it.slice(1)));
  };

  test("whose engine does not run: that is their error, the others are up; when it starts, so do they", async () => {
    const { failures } = await yard.up(LAB);
    expect(failures).toMatchObject([{ subject: { kind: "node", node: "web" }, code: "runtime.docker-unreachable" }]);
    expect(await yard.comesToReach("host-1", "host-2")).toBe(true);

    engine = await startDockerEngine();
    symlinkSync(engine.address.slice("unix://".length), socket);
    await running();
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
    expect((await yard.up(LAB)).failures).toEqual([]);
    expect(await yard.plan(LAB)).toEqual([]);
  });

  test("on an engine that never answered do not keep their yard from going", async () => {
    const nowhere = { environment: { DOCKER_HOST: `unix://${folder}/nobody.sock` } };
    await using other = await LiveYard.create(`${NAME}n`, { ...nowhere, beside: yard });
    const { failures } = await other.up(LAB.replaceAll("10.84.1", "10.84.2"));
    expect(failures).toMatchObject([{ code: "runtime.docker-unreachable" }]);
  });

  test("restarted by the engine get their nics again, with MAC and addresses, and their commands run", async () => {
    const [{ pid }, its] = [await running(), await nics()];
    expect(its.join()).toContain("10.84.1.80/24");
    await docker("restart", "--time", "0", container);
    await running(pid);
    expect(await nics()).toEqual(its);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
    expect(await yard.plan(LAB)).toEqual([]);
    expect(await docker("exec", container, "cat", "/tmp/ran")).toBe("ran\nran\n");
  });

  test("restarted by the engine get back what is no port of the switch: a macvlan, and a NIC of the host", async () => {
    const [street, cable] = [`td${process.pid}s`, `td${process.pid}c`];
    for (const nic of [street, cable])
      await run(["ip", "link", "add", nic, "up", "type", "veth", "peer", "name", `${nic}x`]);
    const lab = `
name: outside
networks: { street: { type: macvlan, parent: ${street} }, cable: { type: passthrough, parent: ${cable} } }
nodes:
  web: { kind: container, runtime: docker, image: busybox, pull: never, command: [sleep, "1000"],
         nics: [ { network: street, ip: 10.84.2.1/24 }, { network: cable, ip: 10.84.3.1/24 } ] }
`;
    expect((await yard.up("name: days\n")).failures).toEqual([]);
    expect((await yard.up(lab)).failures).toEqual([]);
    // The kernel tells a moment later that there is nobody at a cable's other end.
    const links = async () =>
      (await yard.in("web", "ip", "-br", "link")).stdout.replaceAll(/@\S+| +(UP|DOWN|UNKNOWN)(?= )|NO-CARRIER,/g, "");
    const before = await links();
    expect(before).toMatch(/^eth0 .*\neth1 /m);
    const since = yard.logLength();
    await docker("restart", "--time", "0", container);
    await yard.putRight(lab, since);
    expect(await links()).toBe(before);
    expect((await yard.in("web", "ip", "-br", "address", "show", "eth1")).stdout).toContain("10.84.3.1/24");
    await docker("kill", container);
    expect((await yard.up("name: outside\n")).failures).toEqual([]);
    expect(await run(["ip", "-br", "link", "show", cable])).toContain("UP");
    for (const nic of [street, cable]) await run(["ip", "link", "delete", nic]);
    expect((await yard.up(LAB)).failures).toEqual([]);
  });

  test("killed, and started again by their restart policy, too", async () => {
    const [pid, its] = [await runningPid(), await nics()];
    await docker("update", "--restart", "always", container);
    process.kill(pid, "SIGKILL");
    await running(pid);
    expect(await nics()).toEqual(its);
    expect(await yard.comesToReach("host-2", "web")).toBe(true);
    await docker("update", "--restart", "no", container);
  });

  test("killed without one are shown as exited with their code; `up` starts them with the same nics", async () => {
    const [pid, its] = [await runningPid(), await nics()];
    await docker("kill", container);
    const status = await yard.until(({ nodes }) => {
      const it = nodes.find(({ name }) => name === "web")?.status;
      return it?.state === "exited" && it.exitCode !== undefined && it;
    });
    expect(status).toMatchObject({ exitCode: 137, failure: undefined });
    expect((await yard.up(LAB)).failures).toEqual([]);
    expect((await running(pid)).container).toBe(status.container);
    expect(await nics()).toEqual(its);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
  });

  test("removed behind our back are made again", async () => {
    const [{ pid, container: id }, its] = [await running(), await nics()];
    await docker("rm", "--force", container);
    expect((await running(pid)).container).not.toBe(id);
    expect(await nics()).toEqual(its);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
  });

  test("whose image is absent and not to be pulled are the only ones that are not up", async () => {
    const { failures } = await yard.up(absent);
    expect(failures).toMatchObject([{ subject: { kind: "node", node: "ghost" }, code: "runtime.image-absent" }]);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
    expect((await yard.up(LAB)).failures).toEqual([]);
  });

  test("whose engine hangs do not keep the others waiting; when it goes on, all is well", async () => {
    const pid = engine?.pid;
    if (!pid) throw new Error("the engine runs");
    process.kill(pid, "SIGSTOP");
    try {
      const { failures } = await yard.up(LAB.replace("count: 2", "count: 3"));
      expect(failures).toMatchObject([{ subject: { kind: "node", node: "web" }, code: "runtime.unreachable" }]);
      expect(await yard.comesToReach("host-1", "host-3")).toBe(true);
      expect(await yard.comesToReach("host-1", "web")).toBe(true);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await running();
    expect((await yard.up(LAB)).failures).toEqual([]);
  });

  test("are taken away by `down --all`, though nothing of the yard runs any more; somebody else's is not", async () => {
    const stranger = await docker(
      "run",
      "--detach",
      "--network=none",
      "--name",
      `${container}-2`,
      "busybox",
      "sleep",
      "100",
    );
    for (const pid of [await yard.agentPid(), yard.pid("ovs-vswitchd"), yard.pid("ovsdb-server")])
      process.kill(pid, "SIGKILL");
    await yard[Symbol.asyncDispose]();
    expect(await docker("ps", "--all", "--quiet", "--no-trunc")).toBe(stranger);
    await docker("rm", "--force", `${container}-2`);
  });
});
