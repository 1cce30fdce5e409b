import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { childEnvironment, run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine, startDockerEngine } from "@switchyard/testing";
import { parse } from "yaml";
import { z } from "zod";
import { RESOURCE_PREFIX } from "../src/cni/mod.ts";
import { kubernetesStandIn, type StandIn } from "./kubernetes-api.ts";
import { type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(60_000);

const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const source = `${root}/images/switchyard`;
const base = [`BASE=${root}/dist/tests/debian-base`];
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

const Container = z.object({
  image: z.string(),
  command: z.array(z.string()),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) })),
  securityContext: z.object({
    readOnlyRootFilesystem: z.literal(true),
    allowPrivilegeEscalation: z.literal(false),
    capabilities: z.object({ drop: z.array(z.string()), add: z.array(z.string()) }),
  }),
  livenessProbe: z.object({ exec: z.object({ command: z.array(z.string()) }) }).optional(),
});
type Container = z.infer<typeof Container>;

/** What kubelet would do of the manifest, done by an engine; the API is a stand-in. */
describe.skipIf(!requires("root", "openvswitch", "docker-engine", "debootstrap", "openssl"))(
  "the containers of deploy/daemonset.yaml",
  () => {
    let before: Machine;
    let sw: TestSwitch;
    let api: StandIn;
    let docker: (...argv: readonly string[]) => Promise<string>;
    let containers: { readonly install: Container; readonly marker: Container };
    const started = new AsyncDisposableStack();
    beforeAll(async () => {
      // Kept between runs: what has to be fetched.
      await run(["make", "-C", source, ...base, `${root}/dist/tests/debian-base/.debian`], { timeout: 400_000 });
      before = await snapshotMachine();
      sw = started.use(await testSwitch({ vswitchd: false }));
      for (const name of ["api", "context", "plugins", "networks", "state"]) mkdirSync(`${sw.runDir}/${name}`);
      api = started.use(await kubernetesStandIn(`${sw.runDir}/api`));
      writeFileSync(`${sw.runDir}/api/token`, api.token);
      const { address } = started.use(await startDockerEngine({ layers: true }));
      const env = { ...childEnvironment(), DOCKER_HOST: address };
      docker = (...argv) => run(["docker", ...argv], { env, timeout: 120_000 });
      await run(["make", "-C", source, ...base, "base"], { env, timeout: 120_000 });
      const context = `${sw.runDir}/context`;
      copyFileSync(`${source}/Dockerfile`, `${context}/Dockerfile`);
      copyFileSync(`${root}/dist/yard`, `${context}/yard`);
      await docker("build", "--rm", "-t", "switchyard", context);
      const manifest = parse(readFileSync(`${root}/deploy/daemonset.yaml`, "utf8"));
      const { initContainers, containers: main } = manifest.spec.template.spec;
      containers = { install: Container.parse(initContainers[0]), marker: Container.parse(main[0]) };
    }, 500_000);
    afterAll(async () => {
      await started.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]|sydocker/ });
    }, 60_000);

    /** Where the test has the volumes of the pod. */
    const place = (volume: string) => {
      const places: Readonly<Record<string, string>> = { openvswitch: sw.runDir };
      return places[volume] ?? `${sw.runDir}/${volume}`;
    };
    const start = ({ image, command, volumeMounts, securityContext }: Container, ...more: readonly string[]) => {
      const { drop, add } = securityContext.capabilities;
      return docker(
        "run",
        ...["--network", "host", "--read-only", "--security-opt", "no-new-privileges"],
        ...drop.map((name) => `--cap-drop=${name}`),
        ...add.map((name) => `--cap-add=${name}`),
        ...volumeMounts.map((one) => `--volume=${place(one.name)}:${one.mountPath}:${one.readOnly ? "ro" : "rw"}`),
        ...[`--volume=${sw.runDir}/api:${ACCOUNT}:ro`, "--env=NODE_NAME=worker-1"],
        ...[`--env=KUBERNETES_SERVICE_HOST=${api.host}`, `--env=KUBERNETES_SERVICE_PORT=${api.port}`],
        ...["--entrypoint", command[0] ?? "", ...more, image, ...command.slice(1)],
      );
    };

    test("put the plugin where the node looks for it, and mark the node, with no rights but those", async () => {
      await start(containers.install, "--rm");
      const plugins = `${sw.runDir}/plugins`;
      expect(readdirSync(plugins).sort()).toEqual([
        "ovs",
        "ovs-mirror-consumer",
        "ovs-mirror-producer",
        "switchyard",
        "userspace",
      ]);
      expect(await run([`${plugins}/ovs`], { env: { CNI_COMMAND: "VERSION" }, input: "{}" })).toContain('"1.1.0"');
      // Again, as after an update.
      await start(containers.install, "--rm");

      await sw.vsctl("--no-wait", "add-br", "br1");
      api.addNode("worker-1", { cpu: "2" });
      const changed = api.changed();
      await start(containers.marker, "--detach", "--name", "marker");
      await changed;
      expect(api.capacity("worker-1")).toEqual({ cpu: "2", [`${RESOURCE_PREFIX}/br1`]: "1k" });
      const more = api.changed();
      await sw.vsctl("--no-wait", "add-br", "br2");
      await more;
      expect(Object.keys(api.capacity("worker-1"))).toContain(`${RESOURCE_PREFIX}/br2`);
      await docker("exec", "marker", ...(containers.marker.livenessProbe?.exec.command ?? ["false"]));
      expect(statSync(`${sw.runDir}/networks/switchyard.d/kubeconfig`).mode & 0o777).toBe(0o600);
      await docker("stop", "--time", "10", "marker");
      const state = await docker("inspect", "--format", "{{.State.ExitCode}}", "marker");
      expect(Number(state)).toBe(0);
      await docker("rm", "marker");
    });
  },
);
