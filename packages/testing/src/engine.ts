import { spawn } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { deadline, run, tryRun } from "@switchyard/base";
import { temporaryFolder } from "./folder.ts";

/** A Docker engine of a test's own. */
export interface DockerEngine extends AsyncDisposable {
  /** In the form of DOCKER_HOST: `unix:///…`. It has one image, `busybox:latest`. */
  readonly address: string;
  readonly pid: number;
  /** Ends it, as its service does, and starts it again on what it has; `meanwhile` is done in between. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
}

/**
 * Starts a Docker engine that touches nothing of the host's: its own data, no bridge, no firewall rules, storage by
 * copying (`vfs`), cgroups below `/<folder's name>`.
 *
 * @param options `namespace`: a network namespace, which is then what containers have as the host's; `liveRestore`:
 * containers run on while it restarts; `layers`: storage by layers where the file system can, for large images;
 * `privileged`: containers may be so here
 * @throws Error when it is not ready within 30 s, with what it said
 */
export async function startDockerEngine(
  options: {
    readonly namespace?: string;
    readonly liveRestore?: boolean;
    readonly layers?: boolean;
    readonly privileged?: boolean;
  } = {},
): Promise<DockerEngine> {
  const folder = await temporaryFolder("sydocker-");
  const name = folder.path.slice("/tmp/".length);
  const socket = `${folder.path}/docker.sock`;
  await writeFile(`${folder.path}/daemon.json`, "{}");
  const [program = "", ...before] =
    options.namespace === undefined ? ["dockerd"] : ["nsenter", `--net=/run/netns/${options.namespace}`, "dockerd"];
  const argv = [
    ...before,
    ...["--config-file", `${folder.path}/daemon.json`, "--data-root", `${folder.path}/data`],
    ...["--exec-root", `${folder.path}/exec`, "--pidfile", `${folder.path}/pid`, "-H", `unix://${socket}`],
    ...["--iptables=false", "--ip6tables=false", "--bridge=none"],
    ...(options.layers ? [] : ["--storage-driver=vfs"]),
    ...(options.privileged ? await privilegedRuntime(folder.path) : []),
    `--cgroup-parent=/${name}`,
    ...(options.liveRestore ? ["--live-restore"] : []),
  ];
  let running = launch(program, argv, folder.path);
  const end = async () => {
    running.child.kill("SIGTERM");
    await running.ended;
  };
  const stop = async () => {
    await end();
    await removeCgroups(name);
    await folder[Symbol.asyncDispose]();
  };
  try {
    await untilListening(running.child.stderr, running.ended);
    const image = await busyboxTar();
    await using _image = image.folder;
    await run(["docker", "-H", `unix://${socket}`, "import", image.tar, "busybox:latest"], { timeout: 60_000 });
  } catch (error) {
    await stop();
    throw error;
  }
  const restart = async (meanwhile?: () => Promise<void>) => {
    await end();
    await meanwhile?.();
    running = launch(program, argv, folder.path);
    await untilListening(running.child.stderr, running.ended);
  };
  return {
    address: `unix://${socket}`,
    get pid() {
      return running.child.pid ?? 0;
    },
    restart,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * What an engine needs to run a container with `--privileged` where its root lacks CAP_SYS_RESOURCE, as that of a
 * container-like machine may: that capability, which runc could not give, is struck out. All else is as everywhere.
 */
async function privilegedRuntime(folder: string): Promise<string[]> {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
  // Bit 24 (capabilities(7)).
  if ((BigInt(`0x${bounding}`) & (1n << 24n)) !== 0n) return [];
  const wrapper = `${folder}/runc`;
  const script = `#!/bin/sh
previous=
file=
for word do
  case $previous in
    --bundle) file=$word/config.json ;;
    --process) file=$word ;;
  esac
  previous=$word
done
[ -z "$file" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$file"
exec runc "$@"
`;
  await writeFile(wrapper, script, { mode: 0o755 });
  return [`--add-runtime=held=${wrapper}`, "--default-runtime=held"];
}

/** @param folder for what the engine and its containerd write by the way, such as stacks where they end too slowly */
function launch(program: string, argv: readonly string[], folder: string) {
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(program, argv, { env, stdio: ["ignore", "ignore", "pipe"] });
  return { child, ended: new Promise<void>((resolve) => child.once("exit", () => resolve())) };
}

/** How podman must be called so that it works here and touches nothing of the host's. */
export interface PodmanConfiguration extends AsyncDisposable {
  /** For the environment of every podman command. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder of its networks: CNI configurations. */
  readonly networks: string;
}

/**
 * A podman configuration with storage, locks and state of its own. The ulimits are there because root of a
 * container-like machine may lack CAP_SYS_RESOURCE, and podman's defaults then cannot be set; runc because crun refuses
 * mixed cgroup hierarchies.
 *
 * @param options `cniPlugins`: the folders of the CNI plugins that make its networks
 */
export async function podmanConfiguration(
  options: { readonly cniPlugins?: readonly string[] } = {},
): Promise<PodmanConfiguration> {
  const folder = await temporaryFolder("sypodman-");
  const at = (name: string) => `${folder.path}/${name}`;
  await writeFile(
    at("containers.conf"),
    `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
static_dir = "${at("storage/libpod")}"
tmp_dir = "${at("tmp")}"
volume_path = "${at("volumes")}"
[network]
network_config_dir = "${at("net")}"
${options.cniPlugins === undefined ? "" : `network_backend = "cni"\ncni_plugin_dirs = ${JSON.stringify(options.cniPlugins)}`}
`,
  );
  await writeFile(
    at("storage.conf"),
    `[storage]\ndriver = "vfs"\ngraphroot = "${at("storage")}"\nrunroot = "${at("run")}"\n`,
  );
  const env = { CONTAINERS_CONF: at("containers.conf"), CONTAINERS_STORAGE_CONF: at("storage.conf") };
  const childEnv = { ...inherited(), ...env };
  const stop = async () => {
    await tryRun(["podman", "rm", "--all", "--force", "--time", "0"], { env: childEnv, timeout: 60_000 });
    await folder[Symbol.asyncDispose]();
  };
  try {
    const image = await busyboxTar();
    await using _image = image.folder;
    await run(["podman", "import", image.tar, "docker.io/library/busybox:latest"], { env: childEnv, timeout: 60_000 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { env, networks: at("net"), [Symbol.asyncDispose]: stop };
}

/** A root file system of Debian's static busybox, packed: what `docker import` and `podman import` take. */
export async function busyboxTar(): Promise<{ tar: string; folder: AsyncDisposable }> {
  const folder = await temporaryFolder("syroot-");
  const root = `${folder.path}/root`;
  for (const name of ["bin", "sbin", "etc", "dev", "proc", "sys", "tmp", "root", "usr/bin", "usr/sbin", "www"])
    await mkdir(`${root}/${name}`, { recursive: true });
  await copyFile("/bin/busybox", `${root}/bin/busybox`);
  await chmod(`${root}/bin/busybox`, 0o755);
  for (const applet of (await run(["/bin/busybox", "--list"])).split("\n")) {
    if (applet !== "" && applet !== "busybox") await symlink("busybox", `${root}/bin/${applet}`);
  }
  await writeFile(`${root}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  await writeFile(`${root}/etc/group`, "root:x:0:\nnogroup:x:65534:\n");
  await run(["tar", "-C", root, "-cf", `${folder.path}/root.tar`, "."]);
  return { tar: `${folder.path}/root.tar`, folder };
}

/** The engine says on standard error when it listens: that is the event waited for. */
async function untilListening(stderr: NodeJS.ReadableStream, ended: Promise<void>): Promise<void> {
  using limit = deadline(30_000, "testing.docker-slow", "dockerd was not ready within 30 s");
  let said = "";
  await new Promise<void>((resolve, reject) => {
    stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-4_000);
      if (said.includes("API listen on")) resolve();
    });
    const fail = (why: string) => reject(new Error(`${why}; it said:\n${said}`));
    limit.addEventListener("abort", () => fail("dockerd was not ready within 30 s"), { once: true });
    void ended.then(() => fail("dockerd ended"));
  });
}

/** Docker leaves its parent group in every hierarchy; empty ones go by rmdir, from the leaves. */
async function removeCgroups(name: string): Promise<void> {
  const roots = (await run(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-type", "d", "-name", name])).split("\n");
  for (const root of roots.filter((path) => path !== ""))
    await tryRun(["find", root, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
