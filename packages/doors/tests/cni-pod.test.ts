import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { readOrders } from "../src/container/mod.ts";
import { type CniSite, type Conf, cniSite } from "./cni-site.ts";
import { hugepages, startDpdk } from "./dpdk.ts";
import { kubernetesStandIn, type StandIn } from "./kubernetes-api.ts";

setDefaultTimeout(60_000);

const CONFIGURATION = "userspace/configuration-data";

describe.skipIf(!requires("root", "openvswitch", "iproute2", "cni-plugins", "dpdk", "openssl"))(
  "vhost-user by CNI for pods, at a stand-in for the API of Kubernetes",
  () => {
    let before: Machine;
    let site: CniSite;
    let api: StandIn;
    const started = new AsyncDisposableStack();
    beforeAll(async () => {
      before = await snapshotMachine();
      started.use(hugepages(128));
      site = started.use(await cniSite({ vswitchd: false }));
      started.use(await startDpdk(site.sw, "--in-memory", 0));
      await site.sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
      mkdirSync(`${site.folder}/api`);
      api = started.use(await kubernetesStandIn(`${site.folder}/api`));
    });
    afterAll(async () => {
      await started.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    });

    const nic = (pod: string, id = "0123456789abcdef") => ({
      id,
      netns: site.container(pod),
      ifname: "net1",
      type: "userspace" as const,
      args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=u-1`,
      env: { SWITCHYARD_RUN_DIR: `${site.folder}/run` },
    });
    const network = (more: Conf = {}): Conf => ({
      cniVersion: "1.0.0",
      name: "fast",
      type: "userspace",
      kubeconfig: api.kubeconfig,
      sharedDir: `${site.folder}/shared`,
      host: { engine: "ovs-dpdk", iftype: "vhostuser", vhost: { mode: "client" }, bridge: { bridgeName: "br0" } },
      container: { engine: "ovs-dpdk", iftype: "vhostuser", netType: "interface" },
      ipam: site.hostLocal("10.83.0.0/24"),
      ...more,
    });
    /** A volume for sockets, as kubelet has made it. */
    const volume = (name: string) => {
      const path = `${site.folder}/volume-${name}`;
      mkdirSync(path);
      return {
        path,
        spec: {
          volumes: [{ name: "shared-dir", hostPath: { path } }],
          containers: [{ name: "c", volumeMounts: [{ name: "shared-dir", mountPath: "/sockets" }] }],
        },
      };
    };
    const ports = () => site.sw.ports().br0;

    test("the pod is told by annotations, beside what others write at the same time, and in its container the agent understands", async () => {
      const { path, spec } = volume("told");
      api.addPod("default/told", spec, { "example.com/mine": "stays" });
      const one = nic("told");
      // Multus writes, too, between our look at the pod and our word.
      const step = (name: string) => {
        if (name === "port added")
          api.meanwhile(() => api.annotate("default/told", { "k8s.v1.cni.cncf.io/network-status": "[]" }));
      };
      const info = `${site.folder}/device-info.json`;
      const wish = network({ runtimeConfig: { CNIDeviceInfoFile: info } });
      const added = await site.call("ADD", wish, { ...one, step });
      // What Multus adds to its own annotation.
      expect(JSON.parse(readFileSync(info, "utf8"))).toEqual({
        type: "vhost-user",
        version: "1.1.0",
        "vhost-user": { mode: "server", path: "/sockets/0123456789ab-net1" },
      });
      expect(api.asked.filter((line) => line.startsWith("PATCH"))).toHaveLength(2);
      expect(added.json).toMatchObject({ interfaces: [{ name: "net1" }], ips: [{ address: "10.83.0.2/24" }] });
      const { [CONFIGURATION]: data = "", ...rest } = api.annotations("default/told");
      expect(rest).toEqual({
        "example.com/mine": "stays",
        "k8s.v1.cni.cncf.io/network-status": "[]",
        "userspace/mapped-dir": "/sockets",
      });
      expect(JSON.parse(data)).toEqual([
        {
          containerId: "0123456789abcdef",
          ifName: "net1",
          name: "fast",
          config: {
            engine: "ovs-dpdk",
            iftype: "vhostuser",
            netType: "interface",
            vhost: { mode: "server", socketfile: "0123456789ab-net1" },
          },
          ipResult: expect.objectContaining({ ips: [expect.objectContaining({ address: "10.83.0.2/24" })] }),
        },
      ]);
      // The volume is the pod's: nothing is in it but sockets.
      expect(readdirSync(path)).toEqual([]);
      const [port = ""] = ports() ?? [];
      const row = site.sw.db.table("Interface").find({ name: port });
      expect(row?.options.get("vhost-server-path")).toBe(`${path}/0123456789ab-net1`);
      expect(site.sw.db.table("Port").find({ name: port })?.external_ids.get("cni-pod")).toBe("default/told");

      // Kubelet's file of the downward API.
      const annotations = `${site.folder}/annotations`;
      const lines = Object.entries(api.annotations("default/told")).map(
        ([key, value]) => `${key}=${JSON.stringify(value)}`,
      );
      writeFileSync(annotations, lines.join("\n"));
      const orders = readOrders({ data: "/nowhere", shared: "/nowhere", annotations }, () => {});
      expect<unknown>(orders).toMatchObject([
        {
          containerId: "0123456789abcdef",
          ifname: "net1",
          socket: "/sockets/0123456789ab-net1",
          server: true,
          addresses: ["10.83.0.2/24"],
        },
      ]);

      // A second nic of the pod, and the first goes.
      const two = { ...one, ifname: "net2" };
      expect((await site.call("ADD", network(), two)).code).toBe(0);
      const names = () =>
        JSON.parse(api.annotations("default/told")[CONFIGURATION] ?? "[]").map((it: { ifName: string }) => it.ifName);
      expect(names()).toEqual(["net1", "net2"]);
      expect(await site.call("DEL", network(), { ...one, args: "" })).toMatchObject({ code: 0, log: [] });
      expect([names(), existsSync(info)]).toEqual([["net2"], false]);
      expect((await site.call("DEL", network(), two)).code).toBe(0);
      expect(api.annotations("default/told")[CONFIGURATION]).toBeUndefined();
      expect([ports(), readdirSync(site.folder).includes("volume-told")]).toEqual([[], true]);
    });

    test("a pod without a volume is told, and has the files, too; without a kubeconfig it has the files alone", async () => {
      api.addPod("default/plain", { containers: [{ name: "c" }] });
      const one = nic("plain");
      expect((await site.call("ADD", network(), one)).code).toBe(0);
      expect(api.annotations("default/plain")["userspace/mapped-dir"]).toBe("/var/lib/cni/usrspcni");
      const folder = `${site.folder}/shared/0123456789ab`;
      expect(readdirSync(folder)).toEqual(["configData-0123456789ab-net1.json"]);
      // The pod is gone before its nic.
      api.removePod("default/plain");
      expect(await site.call("DEL", network(), one)).toMatchObject({ code: 0, log: [] });
      expect(ports()).toEqual([]);
      const asked = api.asked.length;
      const { kubeconfig: _, ...without } = network();
      expect((await site.call("ADD", without, one)).code).toBe(0);
      expect(readdirSync(folder)).toEqual(["configData-0123456789ab-net1.json"]);
      expect((await site.call("DEL", without, one)).code).toBe(0);
      expect(api.asked).toHaveLength(asked);
    });

    test("what fails leaves nothing, neither here nor at the pod; DEL needs no API", async () => {
      const { spec } = volume("fails");
      api.addPod("default/fails", spec);
      const one = nic("fails");
      const away = api.otherKubeconfig("away", (text) => text.replace(`:${api.port}`, ":1"));
      const unknown = api.otherKubeconfig("unknown", (text) => text.replace(api.token, "of-another"));
      const empty = await site.everything();
      const fails = async (conf: Conf, more: object = {}) => {
        const { json } = await site.call("ADD", conf, { ...one, ...more });
        expect(await site.everything()).toEqual(empty);
        return [json.code, json.msg];
      };
      const step = (name: string) => {
        if (name === "handed over") throw new Error("no luck");
      };
      expect(await fails(network(), { step })).toEqual([999, "no luck"]);
      expect(api.annotations("default/fails")[CONFIGURATION]).toBeUndefined();
      expect(await fails(network({ kubeconfig: away }))).toEqual([11, expect.stringContaining("does not answer")]);
      expect(await fails(network({ kubeconfig: "/nowhere" }))).toEqual([
        113,
        expect.stringContaining("cannot be read"),
      ]);
      expect(await fails(network({ kubeconfig: unknown }))).toEqual([113, expect.stringContaining("does not allow")]);
      const nobody = { args: "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nobody" };
      expect(await fails(network(), nobody)).toEqual([113, expect.stringContaining("has no pod default/nobody")]);
      api.annotate("default/fails", { "userspace/mapped-dir": "/elsewhere" });
      expect(await fails(network())).toEqual([112, expect.stringContaining("is /elsewhere")]);
      api.addPod("default/fails", spec);

      expect((await site.call("ADD", network(), one)).code).toBe(0);
      const [port = ""] = ports() ?? [];
      await site.sw.vsctl("set", "Port", port, `external_ids:cni-kubeconfig=${away}`);
      const removed = await site.call("DEL", network(), one);
      expect([removed.code, removed.log]).toEqual([0, [expect.stringContaining("is still told of net1")]]);
      expect(ports()).toEqual([]);
    });
  },
);
