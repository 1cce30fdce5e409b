import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import {
  expectSameMachine,
  type Machine,
  requires,
  snapshotMachine,
  startDockerEngine,
  temporaryFolder,
} from "@switchyard/testing";
import { z } from "zod";
import { ownName, pings } from "./switch.ts";

setDefaultTimeout(60_000);

const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
/** Kept between runs: what Debian has to be fetched for. */
const image = `${root}/dist/tests/ovs-image`;

const Startup = z.object({
  startup: z.record(
    z.string(),
    z.object({
      name: z.literal("core.system"),
      after: z.array(z.string()).default([]),
      running_delay: z.number().default(2),
      args: z.object({ name: z.string(), args: z.array(z.string()).default([]) }),
    }),
  ),
});
const Plugins = z.object({
  plugin: z.object({ ovs: z.object({ path: z.string(), queue: z.boolean(), exports: z.array(z.string()) }) }),
});

const toml = async (file: string): Promise<unknown> => Bun.TOML.parse(await Bun.file(`${image}/${file}`).text());

describe.skipIf(!requires("root", "docker-engine", "debootstrap", "iproute2", "ping"))(
  "the image of images/ovs",
  () => {
    let before: Machine;
    const stack = new AsyncDisposableStack();
    const host = ownName("_host");
    const nodes = [ownName("_a"), ownName("_b")] as const;
    let docker: (...argv: readonly string[]) => Promise<string>;

    beforeAll(async () => {
      mkdirSync(`${root}/dist/tests`, { recursive: true });
      const make = [
        "make",
        "-C",
        `${root}/images/ovs`,
        `IMAGE=${image}`,
        `BASE=${root}/dist/tests/debian-base`,
        `YARD=${root}/dist/yard`,
      ] as const;
      await run(make, { timeout: 300_000 });
      before = await snapshotMachine();
      stack.defer(() => void deleteNamespaces([host, ...nodes]));
      createNamespaces([host, ...nodes]);
      // Its "host network" is that of a namespace, which no other switch works in.
      const { address } = stack.use(await startDockerEngine({ namespace: host }));
      docker = async (...argv) => {
        const { code, stdout, stderr } = await tryRun(["docker", "-H", address, ...argv], { timeout: 120_000 });
        if (code !== 0) throw new Error(`docker ${argv.join(" ")} ended with ${code}: ${stdout}${stderr}`);
        return stdout;
      };
      await using folder = await temporaryFolder("tdoors-");
      await run(["tar", "-C", image, "-cf", `${folder.path}/image.tar`, "."], { timeout: 120_000 });
      await docker("import", `${folder.path}/image.tar`, "ovs:latest");
      // What a userspace switch needs; the root of a test may lack the rest of what --privileged gives.
      const rights = ["--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--device", "/dev/net/tun"];
      await docker(
        "run",
        "--detach",
        ...rights,
        "--network",
        "host",
        "--name",
        "ovs",
        "ovs:latest",
        "sleep",
        "infinity",
      );
      stack.defer(async () => void (await docker("rm", "--force", "ovs")));
    }, 400_000);
    afterAll(async () => {
      await stack.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    }, 60_000);

    /** What corex does with `.startup.toml`, as far as this file asks for it. */
    async function start(): Promise<void> {
      const { startup } = Startup.parse(await toml(".startup.toml"));
      const started = new Set<string>();
      while (started.size < Object.keys(startup).length) {
        const ready = Object.entries(startup).filter(
          ([id, { after }]) => !started.has(id) && after.every((one) => started.has(one)),
        );
        if (ready.length === 0) throw new Error("the startup file waits for itself");
        for (const [id, { args, running_delay }] of ready) {
          const detach = running_delay < 0 ? [] : ["--detach"];
          await docker("exec", ...detach, "ovs", args.name, ...args.args);
          started.add(id);
        }
      }
    }

    test("serves ovs.* by its plugin, with host networking, after a restart too", async () => {
      await start();
      const { path, exports } = Plugins.parse(await toml(".plugin.toml")).plugin.ovs;
      const ovs = async (name: string, input: object): Promise<string> => {
        expect(exports).toContain(name);
        return docker("exec", "ovs", path, name, JSON.stringify(input));
      };
      expect(await ovs("bridge-add", { bridge: "backplane" })).toBe("20:::null\n:::\n");
      expect(await ovs("vlan_ensure", { master: "backplane", vlan: 10 })).toBe('20:::"vlbr10"\n:::\n');
      expect(await ovs("vxlan-ensure", { master: "backplane", vxlan: 99 })).toBe('20:::"vxlbr99"\n:::\n');
      for (const [at, node] of nodes.entries()) {
        await run(["ip", "-n", host, "link", "add", `n${at}`, "type", "veth", "peer", "name", "eth0", "netns", node]);
        await run(["ip", "-n", host, "link", "set", `n${at}`, "up"]);
        await run(["ip", "-n", node, "address", "add", `10.9.9.${at + 1}/24`, "dev", "eth0"]);
        await run(["ip", "-n", node, "link", "set", "eth0", "up"]);
        await ovs("port-add", { bridge: "vlbr10", port: `n${at}` });
      }
      expect(await pings(nodes[0], "10.9.9.2")).toBe(true);
      await docker("restart", "--time", "0", "ovs");
      await start();
      expect(await ovs("vlan-ensure", { master: "backplane", vlan: 10 })).toBe('20:::"vlbr10"\n:::\n');
      expect(await pings(nodes[0], "10.9.9.2")).toBe(true);
      const { code, stdout } = await tryRun(["cat", `${image}/.plugin.toml`]);
      expect([code, stdout]).toEqual([0, await docker("exec", "ovs", "cat", "/.plugin.toml")]);
    });
  },
);
