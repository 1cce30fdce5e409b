import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  requires,
  snapshotMachine,
  startDockerEngine,
  YARD_COMMAND,
} from "@switchyard/testing";
import { HttpSite, type Json } from "./http-site.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "docker-engine"))(
  "what other doors can do, over HTTP",
  () => {
    const namespace = `tlent_${process.pid}`;
    let before: Machine;
    let site: HttpSite;
    let engine: DockerEngine;

    beforeAll(async () => {
      before = await snapshotMachine();
      engine = await startDockerEngine();
      site = await HttpSite.create({ argv: ["--rate", "0"], env: { DOCKER_HOST: engine.address } });
      createNamespaces([namespace]);
    });
    afterAll(async () => {
      deleteNamespaces([namespace]);
      await site[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(`${site.yard}|${namespace}`) });
    });

    const ovs = async (name: string, body: object = {}) => (await site.done("POST", `/ovs/${name}`, body)).answer;

    test("the commands of ovs, with their own arguments, on the yard's switch", async () => {
      expect(await ovs("bridge-add", { bridge: "back" })).toBeNull();
      expect(
        await ovs("port-add", { bridge: "back", port: "p0", vlan: "7", options: { type: "internal" } }),
      ).toBeNull();
      for (const port of ["b0", "b1"]) await ovs("port-add", { bridge: "back", port, options: { type: "internal" } });
      for (const port of ["b0", "b1"]) await ovs("port-del", { port });
      expect(await ovs("vlan-ensure", { master: "back", vlan: 100 })).toBe("vlbr100");
      expect(await ovs("list")).toEqual(["back", "vlbr100"]);
      expect(await ovs("get", { table: "Port", record: "p0", columns: ["tag"] })).toBe(7);
      await ovs("set", { table: "Port", record: "p0", values: { tag: 8 } });
      expect(await ovs("find", { table: "Port", where: { tag: 8 }, columns: ["name"] })).toEqual([{ name: "p0" }]);
      expect((await ovs("show", { bridge: "back" })).bridges[0].ports).toContainEqual(
        expect.objectContaining({ name: "p0", tag: 8 }),
      );
      const noted = await site.done("POST", "/ovs/list", { tabel: "Port" });
      expect(noted.notes).toEqual([expect.stringContaining("did you mean table?")]);
      for (const [name, body, code] of [
        ["bridge-add", { bridge: "back" }, "switch.name-taken"],
        ["port-del", { port: "none" }, "ovs.no-port"],
        ["bond-add", { bridge: "back", port: "bond0", links: ["none0", "none1"] }, "ovs.no-device"],
        ["vtep-del", { vnid: 9 }, "ovs.no-vtep"],
      ] as const)
        expect((await site.ask("POST", `/ovs/${name}`, body)).body.code).toBe(code);
      expect((await site.ask("POST", "/ovs/vlan-ensure", { master: "back", vlan: 9000 })).status).toBe(400);
      await ovs("bridge-del", { bridge: "vlbr100" });
      await ovs("bridge-del", { bridge: "back" });
      expect(await ovs("list")).toEqual([]);
    });

    test("the verbs of CNI, by the plugin of this program, and what it has attached", async () => {
      await ovs("bridge-add", { bridge: "br0" });
      const path = join(site.folder, "plugins");
      mkdirSync(path);
      site.write("plugins/switchyard", `#!/bin/bash\nexec -a switchyard ${YARD_COMMAND.join(" ")}\n`);
      chmodSync(join(path, "switchyard"), 0o755);
      const network = {
        cniVersion: "1.1.0",
        name: "net",
        plugins: [{ type: "switchyard", yard: site.yard, bridge: "br0" }],
      };
      const nic = { network, namespace: `/run/netns/${namespace}`, path: [path] };
      const { answer } = await site.done("POST", "/cni/add", nic);
      expect(answer.interfaces).toContainEqual(expect.objectContaining({ name: "eth0", sandbox: nic.namespace }));
      expect((await site.done("GET", "/cni/attachments")).answer).toEqual([
        {
          container: `try-run-netns-${namespace}`.replaceAll("_", "-"),
          interface: "eth0",
          network: "net",
          port: expect.stringMatching(/^cni/),
          way: "veth",
          dead: false,
        },
      ]);
      await site.done("POST", "/cni/check", { ...nic, previous: answer });
      await site.done("POST", "/cni/status", nic);
      await site.done("POST", "/cni/gc", nic);
      await site.done("POST", "/cni/del", { ...nic, previous: answer });
      expect((await site.done("GET", "/cni/attachments")).answer).toEqual([]);
      const unknown = await site.ask("POST", "/cni/add", {
        ...nic,
        network: { ...network, plugins: [{ type: "none" }] },
      });
      expect([unknown.status, unknown.body.code]).toEqual([422, "cni.no-plugin"]);
      await ovs("bridge-del", { bridge: "br0" });
    });

    test("ec, whose lines are the answer", async () => {
      const help = await site.done("POST", "/ec", { arguments: ["--help"] });
      expect(help.answer.lines.join("\n")).toContain("--slot");
      const made = await site.done("POST", "/ec", { arguments: ["create-vswitch", "tlent0", "10.97.7.1/24"] });
      expect(made.answer.lines).toEqual([expect.stringContaining("New vswitch 'tlent0' created")]);
      expect((await ovs("show")).bridges.map(({ name }: Json) => name)).toEqual(["tlent0"]);
      await site.done("POST", "/ec", { arguments: ["delete-vswitch", "tlent0"] });
      expect((await site.ask("POST", "/ec", { arguments: ["--slot=x", "start"] })).status).toBe(422);
    });

    test("each is described, needs the role operate where it may change something, and is told of in the audit log", async () => {
      const description: Json = await (await site.fetch("/api/v1/openapi.json")).json();
      const lent = Object.entries<Json>(description.paths).filter(([path]) =>
        /^\/api\/v1\/(ovs|cni|ec)(\/|$)/.test(path),
      );
      expect(lent.length).toBe(14 + 6 + 1);
      for (const [path, methods] of lent)
        for (const [method, { "x-role": role }] of Object.entries<Json>(methods))
          expect([path, role]).toEqual([path, method === "get" ? "read" : "operate"]);
      expect(
        site.audit().some(({ what, target }) => what === "ovsBridgeAdd" && target === "/api/v1/ovs/bridge-add"),
      ).toBe(true);
    });
  },
);
