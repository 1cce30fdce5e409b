import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniYard, cniYard } from "./cni-site.ts";
import { type Containerd, containerConfig, type Message, podConfig, startContainerd, text } from "./containerd.ts";

setDefaultTimeout(90_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "cni-plugins", "containerd", "busybox"))(
  "containerd on Open vSwitch by CNI",
  () => {
    let before: Machine;
    let site: CniYard;
    let engine: Containerd;
    let networks: string;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await cniYard(`tcnicli${process.pid}`);
      networks = `${site.folder}/net.d`;
      mkdirSync(networks);
      for (const plugin of ["loopback", "host-local", "static"])
        symlinkSync(`/usr/lib/cni/${plugin}`, `${site.wrapped}/${plugin}`);
      const { cniVersion, ...plugin } = { cniVersion: "1.0.0", ...site.conf({ vlan: 100 }) };
      const ipam = { type: "host-local", dataDir: `${site.folder}/ipam`, ranges: [[{ subnet: "10.80.0.0/24" }]] };
      const list = { cniVersion, name: "pods", plugins: [{ ...plugin, ipam }] };
      writeFileSync(`${networks}/10-pods.conflist`, JSON.stringify(list));
      engine = await startContainerd({ bin: site.wrapped, conf: networks });
    });
    afterAll(async () => {
      await engine?.[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /tcnicli/ });
    });

    const ports = async () => (await site.vsctl("list-ports", "br0")).split("\n").filter((name) => name !== "");
    const nothingHeld = async () => {
      expect(await ports()).toEqual([]);
      expect(await run(["find", `${site.folder}/ipam`, "-name", "10.80.*"])).toBe("");
    };

    test("pods of a kubelet's calls ping each other and talk TCP on a VLAN", async () => {
      const pods = await Promise.all(["a", "b"].map((name) => pod(name)));
      const [a, b] = [pods[0] ?? "", pods[1] ?? ""];
      const [one, two] = [
        await container(a, "a", "httpd", "-f", "-p", "80", "-h", "/etc"),
        await container(b, "b", "sleep", "1000"),
      ];
      const address = /inet (10\.80\.0\.\d+)/.exec(await exec(one, "ip", "address", "show", "eth0"))?.[1] ?? "";
      expect(await exec(two, "ping", "-c", "1", "-W", "2", address)).toContain("1 packets received");
      expect(await exec(two, "wget", "-q", "-O", "-", `http://${address}/passwd`)).toContain("root:x:0:0");
      const [port = ""] = await ports();
      expect(await site.vsctl("get", "Port", port, "tag", "external_ids:cni-pod-uid")).toMatch(/^100\n"?uid-[ab]"?\n$/);
      // A kubelet stops a pod more than once.
      for (const id of [a, b, a]) await engine.call("StopPodSandbox", [[1, id]]);
      await nothingHeld();
      for (const id of [a, b]) await engine.call("RemovePodSandbox", [[1, id]]);
    });

    test("a pod whose network fails leaves nothing", async () => {
      await site.vsctl("del-br", "br0");
      await expect(pod("c")).rejects.toThrow("there is no bridge br0");
      expect(await run(["find", `${site.folder}/ipam`, "-name", "10.80.*"])).toBe("");
      await site.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
    });

    test("containers of ctr run --cni reach each other, and leave nothing when they end", async () => {
      const server = ctr("one", "10.80.0.201", "httpd", "-f", "-p", "80", "-h", "/etc");
      const fetch = "until wget -q -O - http://10.80.0.201/passwd; do usleep 100000; done";
      expect(await ctr("two", "10.80.0.202", "timeout", "10", "sh", "-c", fetch)).toContain("root:x:0:0");
      await run(["ctr", "-a", engine.address, "task", "kill", "-s", "SIGKILL", "one"]);
      await server.catch(() => "");
      await nothingHeld();
    });

    async function pod(name: string): Promise<string> {
      return text(await engine.call("RunPodSandbox", [[1, podConfig(name)]]), 1);
    }

    async function container(podId: string, name: string, ...command: readonly string[]): Promise<string> {
      const request: Message = [
        [1, podId],
        [2, containerConfig(name, ...command)],
        [3, podConfig(name)],
      ];
      const id = text(await engine.call("CreateContainer", request), 1);
      await engine.call("StartContainer", [[1, id]]);
      return id;
    }

    async function exec(id: string, ...command: readonly string[]): Promise<string> {
      const answer = await engine.call("ExecSync", [[1, id], ...command.map((word) => [2, word] as const), [3, 10]]);
      const code = answer.get(3)?.[0] ?? 0;
      if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${text(answer, 2)}`);
      return text(answer, 1);
    }

    /** In a mount namespace where its network and plugins are in the only places that it looks. */
    async function ctr(name: string, address: string, ...command: readonly string[]): Promise<string> {
      const at = (what: string) => `${engine.folder}/${what}-${name}`;
      for (const what of ["net", "upper", "work"]) mkdirSync(at(what));
      const ipam = { type: "static", addresses: [{ address: `${address}/24` }] };
      writeFileSync(`${at("net")}/10-ctr.conf`, JSON.stringify(site.conf({ vlan: 200, ipam })));
      const script = [
        `mount -t tmpfs none /opt && mkdir -p /opt/cni && ln -s ${site.wrapped} /opt/cni/bin`,
        `mount -t overlay -o lowerdir=/etc,upperdir=${at("upper")},workdir=${at("work")} none /etc`,
        `mkdir -p /etc/cni && rm -rf /etc/cni/net.d && ln -s ${at("net")} /etc/cni/net.d`,
        'exec "$@"',
      ].join(" && ");
      const argv = [
        "ctr",
        "-a",
        engine.address,
        "run",
        "--cni",
        "--rm",
        "--env",
        "PATH=/bin",
        "--rootfs",
        engine.root,
        name,
        ...command,
      ];
      return run(["unshare", "--mount", "sh", "-c", script, "sh", ...argv]);
    }
  },
);
