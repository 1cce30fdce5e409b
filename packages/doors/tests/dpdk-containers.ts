/**
 * What containers with a switch of their own need: an engine with the image of images/ovs-dpdk, the host's Open vSwitch
 * with DPDK, and networks for scripts/usrsp-docker-run.sh; all gone in the end.
 */
import { copyFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { childEnvironment, run } from "@switchyard/base";
import { startDockerEngine, temporaryFolder } from "@switchyard/testing";
import { hugepages, startDpdk } from "./dpdk.ts";
import { type TestSwitch, testSwitch } from "./switch.ts";

const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const source = `${root}/images/ovs-dpdk`;
/** Of 2 MB: 128 MB at most for each of three switches, and what testpmd takes. */
const PAGES = 320;
const IMAGE = "ovs-dpdk";

export interface DpdkContainers extends AsyncDisposable {
  /** The host's: bridge br0. */
  readonly sw: TestSwitch;
  readonly folder: string;
  /** For the script. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the host's switch, and starts it again. */
  restartSwitch(): Promise<void>;
  /** Another network, and so another nic of containers to come: vhost-user on br0, made by the container. */
  network(name: string, more: object): void;
  /** The script with the image; the words come before it, the command after it. */
  script(words: readonly string[], ...command: readonly string[]): readonly [string, ...string[]];
  docker(...argv: readonly string[]): Promise<string>;
}

/** The Debian that the image is built on, kept between runs: what has to be fetched. */
export async function prepareBase(): Promise<void> {
  await run(["make", "-C", source, ...baseOptions(), `${root}/dist/tests/ovs-dpdk-base/.debian`], { timeout: 400_000 });
}

function baseOptions(): string[] {
  return [`BASE=${root}/dist/tests/debian-base`, `DEBIAN=${root}/dist/tests/ovs-dpdk-base`];
}

export async function dpdkContainers(): Promise<DpdkContainers> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder("tdoors-"));
  const { address } = stack.use(await startDockerEngine({ layers: true, privileged: true }));
  const env = { ...childEnvironment(), DOCKER_HOST: address };
  const docker = (...argv: readonly string[]) => run(["docker", ...argv], { env, timeout: 120_000 });
  await run(["make", "-C", source, ...baseOptions(), "base"], { env, timeout: 120_000 });
  const context = `${folder}/context`;
  mkdirSync(context);
  for (const name of ["Dockerfile", ".dockerignore", "install", "usrsp-entrypoint"])
    copyFileSync(`${source}/${name}`, `${context}/${name}`);
  copyFileSync(`${root}/dist/yard`, `${context}/usrsp-app`);
  await run(["docker", "build", "--rm", "-t", IMAGE, "."], { env, cwd: context, timeout: 120_000 });

  stack.use(hugepages(PAGES));
  stack.use(await mountPages("/dev/hugepages"));
  const sw = stack.use(await testSwitch({ vswitchd: false }));
  const start = () => startDpdk(sw, "--in-memory", 0);
  let vswitchd = await start();
  stack.defer(() => vswitchd[Symbol.asyncDispose]());
  await sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");

  const networks = `${folder}/net.d`;
  mkdirSync(networks);
  await run([`${root}/dist/yard`, "cni", "install", `${folder}/plugins`]);
  const owned = stack.move();
  return {
    sw,
    folder,
    env: {
      ...env,
      CNI_PATH: `${folder}/plugins:/usr/lib/cni`,
      NETCONFPATH: networks,
      USRSPCNI: folder,
      YARD: `${root}/dist/yard`,
      OVS_RUNDIR: sw.runDir,
      SWITCHYARD_RUN_DIR: `${folder}/run`,
    },
    async restartSwitch() {
      await vswitchd[Symbol.asyncDispose]();
      vswitchd = await start();
    },
    network(name, more) {
      const conf = {
        cniVersion: "1.0.0",
        name,
        type: "userspace",
        sharedDir: `${folder}/shared`,
        host: {
          engine: "ovs-dpdk",
          iftype: "vhostuser",
          netType: "bridge",
          vhost: { mode: "client" },
          bridge: { bridgeName: "br0", vlanId: 100 },
        },
        container: {
          engine: "ovs-dpdk",
          iftype: "vhostuser",
          netType: "bridge",
          vhost: { mode: "server" },
          bridge: { bridgeName: "br0" },
        },
        ...more,
      };
      writeFileSync(`${networks}/${name}.conf`, JSON.stringify(conf));
    },
    script: (words, ...command) => [
      `${root}/scripts/usrsp-docker-run.sh`,
      // The host's switch has the other core.
      ...["--env", "USRSP_SET=pmd-cpu-mask=0x2", ...words, IMAGE, ...command],
    ],
    docker,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Where the script looks for pages, on a machine that has not mounted them. */
async function mountPages(folder: string): Promise<AsyncDisposable> {
  if (existsSync(folder)) return { [Symbol.asyncDispose]: async () => {} };
  mkdirSync(folder);
  await run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "nodev", folder]);
  return {
    async [Symbol.asyncDispose]() {
      await run(["umount", folder]);
      rmdirSync(folder);
    },
  };
}
