import { spawn } from "node:child_process";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { createInterface } from "node:readline";
import { backoff, delay, tryRun } from "@switchyard/base";
import { ensureGuest, temporaryFolder } from "@switchyard/testing";
import { type Figure, median } from "./figure.ts";
import { type JobClient, jobClient } from "./job-client.ts";
import { type BenchYard, benchYard } from "./yard.ts";

const RUNS = 7;
const VLAN = "100";

/**
 * A nic plugged into a running container, and out again: by command, by a program written for zero-os, and by hand. The
 * same for a virtual machine, whose guest has to give it back.
 */
export async function plug(): Promise<Figure[]> {
  await using yard = await benchYard("bench");
  await using root = await guestRoot();
  const roots = ["--root", "*=busybox", "--root", `machine=${root.path}`];
  const [program = "", ...args] = yard.argv("serve", "--zeroos", "127.0.0.1:0", ...roots);
  const server = spawn(program, args, { env: yard.env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  try {
    const [line] = await new Promise<string[]>((resolve) =>
      createInterface({ input: server.stdout }).once("line", (text) => resolve([text])),
    );
    using client = await jobClient(Number(/:(\d+)$/.exec(line ?? "")?.[1]));
    return [...(await measure(yard, client)), ...(await measureMachine(yard, client))];
  } finally {
    server.kill();
    await ended;
  }
}

async function measure(yard: BenchYard, client: JobClient): Promise<Figure[]> {
  const ovs = await client.run("corex.create", { root: "x", host_network: true }, ["ovs"]);
  await client.runIn(ovs, "ovs.bridge-add", { bridge: "backplane" });
  // The VLAN's bridge is there already, as it is for every nic but the first.
  await client.run("corex.create", { root: "x", nics: [{ type: "vlan", id: VLAN }] });
  const container = await client.run("corex.create", { root: "x", nics: [] });
  const node = `core-${container}`;
  const times = { added: [] as number[], removed: [] as number[], attached: [] as number[], byHand: [] as number[] };
  for (let n = 1; n <= RUNS; n++) {
    const nic = { type: "vlan", id: VLAN, config: { cidr: `10.1.0.${n}/24` } };
    times.added.push(await seconds(() => client.run("corex.nic-add", { container, nic })));
    times.removed.push(await seconds(() => client.run("corex.nic-remove", { container, index: n - 1 })));
    times.attached.push(await yard.time("attach", node, `vlan-${VLAN},name=hot0,ip=10.1.0.${n}/24`));
    await yard.run("detach", `${node}:hot0`);
    times.byHand.push(await seconds(() => plugByHand(yard, node, `10.1.0.${n}/24`)));
    await unplugByHand(yard);
  }
  const baseline = { name: "the same by ip and ovs-vsctl", value: median(times.byHand), runs: times.byHand };
  return [
    figure("a nic plugged into a container, by corex.nic-add", times.added, { baseline }),
    figure("a nic plugged out again, by corex.nic-remove", times.removed),
    figure("a nic plugged into a container, by yard attach", times.attached, { baseline }),
  ];
}

async function measureMachine(yard: BenchYard, client: JobClient): Promise<Figure[]> {
  const wanted = { name: "guest", flist: "machine", cmdline: "console=ttyS0 quiet", cpu: 1, memory: 160 };
  const uuid = await client.run("kvm.create", wanted);
  await booted(yard, "guest");
  const nic = { uuid, type: "vlan", id: VLAN };
  const [added, removed]: [number[], number[]] = [[], []];
  for (let n = 1; n <= RUNS; n++) {
    added.push(await seconds(() => client.run("kvm.add_nic", nic)));
    removed.push(await seconds(() => client.run("kvm.remove_nic", nic)));
  }
  await client.run("kvm.destroy", { uuid });
  return [
    figure("a nic plugged into a virtual machine, by kvm.add_nic", added),
    figure("a nic that its guest gives back, by kvm.remove_nic", removed),
  ];
}

/** Its agent says nothing by itself when it begins to answer: hence this one poll with back-off. */
async function booted(yard: BenchYard, node: string): Promise<void> {
  const [program = "", ...args] = yard.argv("exec", node, "--", "true");
  const end = performance.now() + 120_000;
  for (const wait of backoff(100, 1_000)) {
    if (performance.now() > end) throw new Error(`${node} does not boot`);
    if ((await tryRun([program, ...args], { env: yard.env })).code === 0) return;
    await delay(wait);
  }
}

/** The tests' guest, where an flist has its kernel. */
async function guestRoot(): Promise<AsyncDisposable & { readonly path: string }> {
  const { kernel, initrd } = await ensureGuest();
  const folder = await temporaryFolder("sybench-");
  await chmod(folder.path, 0o755);
  await mkdir(`${folder.path}/boot`);
  await symlink(kernel, `${folder.path}/boot/vmlinuz`);
  await symlink(initrd, `${folder.path}/boot/initrd.img`);
  return folder;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function figure(name: string, runs: readonly number[], rest: Partial<Figure> = {}): Figure {
  return { case: "plug", name, unit: "s", value: median(runs), runs, ...rest };
}

/** What has to be done at the least, each step by the program that is there for it. */
async function plugByHand(yard: BenchYard, node: string, address: string): Promise<void> {
  const [near, far] = [`yard_${yard.name}`, `yard_${yard.name}_${node}`];
  const steps: readonly (readonly [string, ...string[]])[] = [
    ["ip", "-n", near, "link", "add", "hand0", "up", "type", "veth", "peer", "name", "hand1", "netns", far],
    ["ip", "-n", far, "link", "set", "hand1", "up"],
    ["ip", "-n", far, "address", "add", address, "dev", "hand1"],
    ["ovs-vsctl", `--db=unix:${yard.switchSocket}`, "add-port", `vlbr${VLAN}`, "hand0"],
  ];
  for (const step of steps) await done(step);
}

async function unplugByHand(yard: BenchYard): Promise<void> {
  await done(["ovs-vsctl", `--db=unix:${yard.switchSocket}`, "del-port", "hand0"]);
  await done(["ip", "-n", `yard_${yard.name}`, "link", "delete", "hand0"]);
}

async function done(argv: readonly [string, ...string[]]): Promise<void> {
  const { code, stderr } = await tryRun(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr.trim()}`);
}
