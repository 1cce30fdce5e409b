import { type ChildProcess, spawn } from "node:child_process";
import { watch } from "node:fs";
import { access } from "node:fs/promises";
import { run } from "@switchyard/base";
import { type TemporaryFolder, temporaryFolder } from "@switchyard/testing";

/** A userspace switch made with Open vSwitch's own tools only: what our own is compared with. */
export interface PrivateSwitch extends AsyncDisposable {
  readonly namespace: string;
  /** One `ovs-vsctl` call, which returns when the switch has taken it. */
  vsctl(argv: readonly string[]): Promise<string>;
  ip(lines: readonly string[]): Promise<void>;
}

/** @param tso whether packets larger than the MTU may cross it (userspace-tso-enable) */
export async function privateSwitch(namespace: string, tso: boolean): Promise<PrivateSwitch> {
  const folder = await temporaryFolder("sybench-");
  const started: ChildProcess[] = [];
  const at = (name: string) => `${folder.path}/${name}`;
  const remote = `unix:${at("db.sock")}`;
  const vsctl = (argv: readonly string[]) =>
    run(["ovs-vsctl", `--db=${remote}`, "--timeout=60", ...argv], { timeout: 90_000 });
  const start = (...argv: [string, ...string[]]) => {
    const child = spawn("ip", ["netns", "exec", namespace, ...argv], {
      stdio: "ignore",
      env: { ...process.env, OVS_RUNDIR: folder.path },
    });
    started.push(child);
  };
  const stop = async () => {
    for (const child of started.reverse()) await end(child);
    await run(["ip", "netns", "delete", namespace]);
    await folder[Symbol.asyncDispose]();
  };
  await run(["ip", "netns", "add", namespace]);
  await run(["ip", "-n", namespace, "link", "set", "lo", "up"]);
  await run(["ovsdb-tool", "create", at("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema"]);
  const quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:off"];
  start("ovsdb-server", at("conf.db"), `--remote=punix:${at("db.sock")}`, `--unixctl=${at("db.ctl")}`, ...quiet);
  await appears(folder, "db.sock");
  await vsctl(["--no-wait", "init"]);
  if (tso) await vsctl(["--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true"]);
  start("ovs-vswitchd", remote, `--unixctl=${at("switch.ctl")}`, ...quiet);
  await vsctl(["set", "Open_vSwitch", ".", "external_ids:ready=yes"]);
  return {
    namespace,
    vsctl,
    async ip(lines) {
      await run(["ip", "-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n`, timeout: 120_000 });
    },
    [Symbol.asyncDispose]: stop,
  };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    // `ip netns exec` has become the daemon itself, so this reaches it.
    child.kill("SIGKILL");
  });
}

async function appears(folder: TemporaryFolder, name: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => access(`${folder.path}/${name}`).then(resolve, () => {});
  const watcher = watch(folder.path, () => void look());
  await look();
  await promise;
  watcher.close();
}
