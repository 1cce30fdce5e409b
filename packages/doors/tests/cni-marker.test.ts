import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, watch, writeFileSync } from "node:fs";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { SWITCH_SCHEMA, startDatabaseServer, stopDatabaseServer } from "@switchyard/vswitch";
import { openBridges, openKubernetes, RESOURCE_PREFIX, runMarker } from "../src/cni/mod.ts";
import { kubernetesStandIn, type StandIn } from "./kubernetes-api.ts";
import { type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(30_000);

const executable = new URL("../../../dist/yard", import.meta.url).pathname;

describe.skipIf(!requires("root", "openvswitch", "openssl"))(
  "the marker of Kubernetes' nodes, at a stand-in for the API",
  () => {
    let before: Machine;
    let sw: TestSwitch;
    let api: StandIn;
    const started = new AsyncDisposableStack();
    beforeAll(async () => {
      before = await snapshotMachine();
      sw = started.use(await testSwitch({ vswitchd: false }));
      mkdirSync(`${sw.runDir}/api`);
      api = started.use(await kubernetesStandIn(`${sw.runDir}/api`));
    });
    afterAll(async () => {
      await started.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    });

    const br = (name: string) => `${RESOURCE_PREFIX}/${name}`;
    const addBridge = (...names: readonly string[]) =>
      sw.vsctl("--no-wait", ...names.flatMap((name) => ["--", "add-br", name]));
    const removeBridge = (name: string) => sw.vsctl("--no-wait", "del-br", name);
    const marker = (...argv: readonly string[]): [string, ...string[]] => [
      executable,
      "cni",
      "marker",
      "--db",
      sw.place.remote,
      ...argv,
    ];
    const env = { ...childEnvironment(), HOME: "/nowhere" };

    test("has the node's bridges as resources, follows the switch, and leaves others' resources", async () => {
      await addBridge("br1");
      api.addNode("follow", { cpu: "2", [br("gone")]: "1k", "example.com/br1": "7" });
      const stop = new AbortController();
      let marked = Promise.withResolvers<readonly string[]>();
      const next = async () => {
        const bridges = await marked.promise;
        marked = Promise.withResolvers();
        return bridges;
      };
      await using db = await openBridges(sw.place.remote, stop.signal);
      const running = runMarker({
        kubernetes: await openKubernetes({ kubeconfig: api.kubeconfig, env }),
        node: "follow",
        db,
        prefix: RESOURCE_PREFIX,
        interval: 60_000,
        signal: stop.signal,
        log: createLogger("marker", "error"),
        onMarked: (bridges) => marked.resolve(bridges),
      });
      expect(await next()).toEqual(["br1"]);
      expect(api.capacity("follow")).toEqual({ cpu: "2", "example.com/br1": "7", [br("br1")]: "1k" });
      // One whose name no resource can have is left out.
      await addBridge("br2", "_b_lab");
      expect(await next()).toEqual(["br1", "br2"]);
      await removeBridge("br1");
      expect(await next()).toEqual(["br2"]);
      expect(Object.keys(api.capacity("follow")).sort()).toEqual(["cpu", "example.com/br1", br("br2")].sort());
      // A port that comes or goes is no reason to ask.
      const before = api.asked.length;
      await sw.vsctl("--no-wait", "add-port", "br2", "p1");
      await sw.vsctl("--no-wait", "add-br", "br3");
      expect(await next()).toEqual(["br2", "br3"]);
      expect(api.asked.slice(before)).toEqual(["GET /api/v1/nodes/follow", "PATCH /api/v1/nodes/follow/status"]);
      stop.abort();
      await running;
      for (const name of ["br2", "br3", "_b_lab"]) await removeBridge(name);
    });

    test("marks again what others have taken away", async () => {
      await addBridge("br1");
      api.addNode("again", { cpu: "2" });
      const stop = new AbortController();
      const seen: number[] = [];
      const enough = Promise.withResolvers<void>();
      await using db = await openBridges(sw.place.remote, stop.signal);
      const running = runMarker({
        kubernetes: await openKubernetes({ kubeconfig: api.kubeconfig, env }),
        node: "again",
        db,
        prefix: RESOURCE_PREFIX,
        interval: 50,
        signal: stop.signal,
        log: createLogger("marker", "fatal"),
        onMarked() {
          seen.push(api.asked.length);
          expect(api.capacity("again")).toEqual({ cpu: "2", [br("br1")]: "1k" });
          // As kubelet does when it registers anew; and then none of it is left at all.
          if (seen.length === 1) api.setCapacity("again", { cpu: "2", [br("br1")]: "0" });
          if (seen.length === 2) api.setCapacity("again", { cpu: "2" });
          if (seen.length === 4) enough.resolve();
        },
      });
      await enough.promise;
      stop.abort();
      await running;
      await removeBridge("br1");
    });

    test("offers no bridges while the switch is away, and all of them when it is there again", async () => {
      await addBridge("br1");
      api.addNode("away", { cpu: "2" });
      const stop = new AbortController();
      let expected: { readonly bridges: string; readonly resolve: () => void } | undefined;
      const until = (...bridges: readonly string[]) =>
        new Promise<void>((resolve) => {
          expected = { bridges: bridges.join(), resolve };
        });
      await using db = await openBridges(sw.place.remote, stop.signal);
      let seen = until("br1");
      const running = runMarker({
        kubernetes: await openKubernetes({ kubeconfig: api.kubeconfig, env }),
        node: "away",
        db,
        prefix: RESOURCE_PREFIX,
        interval: 200,
        signal: stop.signal,
        log: createLogger("marker", "fatal"),
        onMarked: (bridges) => {
          if (bridges.join() === expected?.bridges) expected.resolve();
        },
      });
      await seen;
      seen = until();
      await stopDatabaseServer(sw.runDir);
      await seen;
      expect(api.capacity("away")).toEqual({ cpu: "2" });
      seen = until("br1");
      const databases = [{ file: `${sw.runDir}/conf.db`, schema: SWITCH_SCHEMA }];
      await startDatabaseServer({ socket: `${sw.runDir}/db.sock`, runDir: sw.runDir, databases });
      await seen;
      expect(api.capacity("away")).toEqual({ cpu: "2", [br("br1")]: "1k" });
      stop.abort();
      await running;
      await removeBridge("br1");
    });

    test("is a command, that marks once, takes its marks away, and says what is wrong", async () => {
      await addBridge("br1");
      api.addNode("once", { cpu: "2" });
      const once = await run(marker("--node", "once", "--kubeconfig", api.kubeconfig, "--once", "--json"), { env });
      expect([JSON.parse(once), api.capacity("once")]).toEqual([[br("br1")], { cpu: "2", [br("br1")]: "1k" }]);
      await run(marker("--kubeconfig", api.kubeconfig, "--remove"), { env: { ...env, NODE_NAME: "once" } });
      expect(api.capacity("once")).toEqual({ cpu: "2" });
      const failing = async (...argv: readonly string[]) => {
        const { code, stderr } = await tryRun(marker("--once", ...argv), { env });
        return [code, /\[([a-z.-]+)\]/.exec(stderr)?.[1]];
      };
      const other = (change: (text: string) => string) => api.otherKubeconfig("other", change);
      const node = ["--node", "once"];
      expect(await failing("--kubeconfig", api.kubeconfig)).toEqual([2, "usage.wrong"]);
      expect(await failing(...node)).toEqual([1, "kubernetes.no-config"]);
      expect(await failing(...node, "--kubeconfig", "/nowhere/config")).toEqual([1, "kubernetes.no-config"]);
      const none = other((text) => text.replace("current-context: test", "current-context: none"));
      expect(await failing(...node, "--kubeconfig", none)).toEqual([1, "kubernetes.no-config"]);
      expect(await failing("--node", "unknown", "--kubeconfig", api.kubeconfig)).toEqual([1, "kubernetes.not-found"]);
      const unknown = other((text) => text.replace(api.token, "of-nobody"));
      expect(await failing(...node, "--kubeconfig", unknown)).toEqual([1, "kubernetes.refused"]);
      const forbidden = other((text) => text.replace(api.token, "of-another"));
      expect(await failing(...node, "--kubeconfig", forbidden)).toEqual([1, "kubernetes.refused"]);
      // A certificate of somebody else's.
      const strange = other((text) => text.replace("/ca.crt", "/api.crt"));
      expect(await failing(...node, "--kubeconfig", strange)).toEqual([1, "kubernetes.unreachable"]);
      const silent = other((text) => text.replace(`:${api.port}`, ":1"));
      expect(await failing(...node, "--kubeconfig", silent)).toEqual([1, "kubernetes.unreachable"]);
      const yard = [
        executable,
        "-y",
        "tdoorsnone",
        "cni",
        "marker",
        "--once",
        ...node,
        "--kubeconfig",
        api.kubeconfig,
      ] as const;
      expect((await tryRun(yard, { env })).stderr).toContain("/tdoorsnone/db.sock does not run");
      // A switch that does not run has no bridges.
      await run(marker("--once", ...node, "--kubeconfig", api.kubeconfig), { env });
      const away = ["--once", ...node, "--kubeconfig", api.kubeconfig, "--db", `unix:${sw.runDir}/none.sock`];
      expect((await tryRun(marker(...away), { env })).stderr).toContain("[cni.switch-away]");
      expect(api.capacity("once")).toEqual({ cpu: "2" });
      await removeBridge("br1");
    });

    test("runs in a pod by its service account, keeps a kubeconfig for the plugin, and shows that it lives", async () => {
      await addBridge("br1");
      api.addNode("inside", { cpu: "2" });
      const folder = `${sw.runDir}/account`;
      mkdirSync(folder);
      writeFileSync(`${folder}/token`, `${api.token}\n`);
      writeFileSync(`${folder}/ca.crt`, readFileSync(api.certificates));
      const out = `${sw.runDir}/out`;
      mkdirSync(out);
      const account = "/var/run/secrets/kubernetes.io/serviceaccount";
      // As kubelet mounts it, in a mount namespace of the test's own.
      const script = `mount -t tmpfs none /run && mkdir -p ${account} && mount --bind "$0" ${account} && exec "$@"`;
      const argv = marker("--heartbeat", `${out}/heartbeat`, "--write-kubeconfig", `${out}/etc/kubeconfig`);
      const came = Promise.withResolvers<void>();
      const watcher = watch(out, () => {
        if (existsSync(`${out}/heartbeat`)) came.resolve();
      });
      const child = spawn("unshare", ["--mount", "sh", "-c", script, folder, ...argv], {
        env: { ...env, NODE_NAME: "inside", KUBERNETES_SERVICE_HOST: api.host, KUBERNETES_SERVICE_PORT: `${api.port}` },
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => child.on("exit", resolve));
      await Promise.race([came.promise, ended]);
      expect(api.capacity("inside")).toEqual({ cpu: "2", [br("br1")]: "1k" });
      const kubeconfig = `${out}/etc/kubeconfig`;
      expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
      const handed = await openKubernetes({ kubeconfig, env });
      expect((await handed.readNode("inside")).metadata?.name).toBe("inside");
      child.kill("SIGTERM");
      await ended;
      watcher.close();
      await removeBridge("br1");
    });
  },
);
