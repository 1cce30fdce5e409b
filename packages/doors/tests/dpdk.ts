/** Switches with DPDK: the host's, and those in containers, which reach it by virtio-user devices over vhost-user sockets. */
import { readFileSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { endProcess, startTime } from "@switchyard/linux";
import { type TestSwitch, testSwitch } from "./switch.ts";

export const DPDK_PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const PAGES = "/proc/sys/vm/nr_hugepages";

/**
 * Gives the machine so many huge pages of 2 MB more, until disposed of.
 *
 * @throws Error when its memory has no room for them in one piece each
 */
export function hugepages(count: number): Disposable {
  const total = () => Number(readFileSync(PAGES, "utf8"));
  const before = total();
  writeFileSync(PAGES, String(before + count));
  const got = total() - before;
  const giveBack = () => writeFileSync(PAGES, String(total() - got));
  if (got < count) {
    giveBack();
    throw new Error(`of ${count} huge pages of 2 MB the machine has ${got} to give`);
  }
  return { [Symbol.dispose]: giveBack };
}

/** Runs ovs-vswitchd with DPDK on the database of a switch that has none. */
export async function startDpdk(sw: TestSwitch, extra: string, core: 0 | 1): Promise<AsyncDisposable> {
  const settings = {
    "dpdk-init": "true",
    "dpdk-socket-mem": "64",
    "dpdk-socket-limit": "128",
    "dpdk-lcore-mask": "0x1",
    "pmd-cpu-mask": core === 0 ? "0x1" : "0x2",
    "dpdk-extra": `--no-pci ${extra}`,
  };
  const pairs = Object.entries(settings).map(([name, value]) => `other_config:${name}="${value}"`);
  await sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", ...pairs);
  const at = (name: string) => `${sw.runDir}/${name}`;
  const files = [
    `--pidfile=${at("ovs-vswitchd.pid")}`,
    `--unixctl=${at("vswitchd.ctl")}`,
    `--log-file=${at("vswitchd.log")}`,
  ];
  const argv = [DPDK_PROGRAM, `unix:${at("db.sock")}`, ...files, "--detach", "-vconsole:off"];
  const env = { PATH: process.env.PATH ?? "", OVS_RUNDIR: sw.runDir, XDG_RUNTIME_DIR: sw.runDir };
  await run(["ip", "netns", "exec", sw.namespace, ...argv], { env, timeout: 60_000 });
  const pid = Number(readFileSync(at("ovs-vswitchd.pid"), "utf8"));
  const started = startTime(pid);
  return {
    async [Symbol.asyncDispose]() {
      if (started !== undefined) await endProcess({ pid, startTime: started }, 10_000);
    },
  };
}

/** A container's own switch: a bridge br0 with that address, and a virtio-user device at a socket. */
export async function containerSwitch(
  stack: AsyncDisposableStack,
  options: { readonly name: string; readonly address: string; readonly device: string },
): Promise<TestSwitch> {
  const sw = await bareSwitch(stack);
  await sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
  const port = ["type=dpdk", `options:dpdk-devargs="${options.device}"`];
  await sw.vsctl("add-port", "br0", options.name, "--", "set", "Interface", options.name, ...port);
  await sw.ip("address", "add", options.address, "dev", "br0");
  await sw.ip("link", "set", "br0", "up");
  return sw;
}

/** The same with nothing in it. */
export async function bareSwitch(stack: AsyncDisposableStack): Promise<TestSwitch> {
  const sw = stack.use(await testSwitch({ vswitchd: false }));
  stack.use(await startDpdk(sw, "--in-memory --single-file-segments", 1));
  return sw;
}
