/** What the tests of virtual machines share: an engine, a private switch in a namespace, and taps on it. */
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { type Mac, parseMac, run } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { applyLinks, createNamespaces, deleteNamespaces, endProcess, identify } from "@switchyard/linux";
import { ensureGuest, type Guest, temporaryFolder } from "@switchyard/testing";
import { openVmEngine, type VmConfig, type VmEngine, type VmEvent, type VmNic, vmUser } from "../src/mod.ts";
import { Captured } from "./world.ts";

export const LABELS = { "switchyard.owner": `tvm${process.pid}` };

export interface VmWorld extends AsyncDisposable {
  readonly engine: VmEngine;
  readonly folder: string;
  readonly namespace: string;
  readonly guest: Guest;
  /** A second handle on the same machines, as another process would have it. */
  open(): Promise<VmEngine>;
  config(name: string, changes?: Partial<VmConfig>, append?: string): VmConfig;
  /** Makes a tap, a port of the private switch, for the nic `index` of machine `id`. */
  nic(id: number, index: number): Promise<VmNic>;
}

/** A private Open vSwitch, and one bridge. */
async function startSwitch(folder: string, namespace: string): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  mkdirSync(folder);
  const env = { ...process.env, OVS_RUNDIR: folder, OVS_LOGDIR: folder, PATH: process.env.PATH ?? "" };
  const clean = Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  const daemon = async (program: string, ...args: string[]) => {
    const pidFile = `${folder}/${program}.pid`;
    const argv = ["ip", "netns", "exec", namespace, program, ...args, `--pidfile=${pidFile}`, "--detach", "--no-chdir"];
    await run(["nice", ...argv], { env: clean });
    const id = identify(Number(readFileSync(pidFile, "utf8")));
    if (id !== undefined) stack.defer(() => endProcess(id, 2_000));
  };
  await run(["ovsdb-tool", "create", `${folder}/db`, "/usr/share/openvswitch/vswitch.ovsschema"]);
  await daemon("ovsdb-server", `${folder}/db`, `--remote=punix:${folder}/db.sock`, `--unixctl=${folder}/db.ctl`);
  await run(["ovs-vsctl", `--db=unix:${folder}/db.sock`, "--no-wait", "init"]);
  await daemon("ovs-vswitchd", `unix:${folder}/db.sock`, `--unixctl=${folder}/vs.ctl`, `--log-file=${folder}/log`);
  await run(vsctl(folder, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"));
  const owned = stack.move();
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function vsctl(folder: string, ...args: string[]): readonly [string, ...string[]] {
  return ["ovs-vsctl", `--db=unix:${folder}/db.sock`, "--timeout=10", ...args];
}

export async function openVmWorld(): Promise<VmWorld> {
  await using stack = new AsyncDisposableStack();
  const guest = await ensureGuest();
  const folder = stack.use(await temporaryFolder("syvm-")).path;
  const namespace = `tvm_${process.pid}`;
  createNamespaces([namespace]);
  stack.defer(() => void deleteNamespaces([namespace]));
  const ovs = `${folder}/ovs`;
  stack.use(await startSwitch(ovs, namespace));
  const options = { stateDir: `${folder}/state`, runDir: `${folder}/run`, log: createLogger("test", "silent") };
  const engine = await openVmEngine(options);
  stack.defer(async () => {
    for (const { name } of await engine.list({})) await engine.remove(name, 0);
  });
  const owned = stack.move();
  return {
    engine,
    folder,
    namespace,
    guest,
    open: () => openVmEngine(options),
    config: (name, changes = {}, append = "") => ({
      name: `tvm${process.pid}_${name}`,
      memory: 160,
      cpus: 1,
      disks: [],
      kernel: { image: guest.kernel, initrd: guest.initrd, append: `console=ttyS0 quiet ${append}` },
      isos: [],
      nics: [],
      namespace,
      guestAgent: true,
      labels: LABELS,
      ...changes,
    }),
    nic: async (id, index) => {
      const tap = `_k_${id}_${index}`;
      const { uid } = vmUser();
      const op = { op: "tap", name: tap, owner: uid, port: true, up: true } as const;
      const failures = applyLinks([{ namespace: { name: namespace }, ops: [op] }]);
      if (failures.length > 0) throw new Error(JSON.stringify(failures));
      await run(vsctl(ovs, "add-port", "br0", tap));
      return { index, tap, mac: macOf(id, index), offloads: false };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function macOf(id: number, index: number): Mac {
  return parseMac(`02:00:00:00:${id.toString(16).padStart(2, "0")}:${index.toString(16).padStart(2, "0")}`);
}

/** A console that is being looked at and typed to. */
export class Seat {
  readonly keyboard = new PassThrough();
  readonly screen = new Captured(this.keyboard);
  readonly left: Promise<"left" | "ended">;

  constructor(engine: VmEngine, name: string, history = 1 << 20) {
    this.left = engine.console(name, { history, leave: 0x1d }, this.screen);
  }

  /** Resolves when a text is on the screen; a guest that boots beside other work may need long. */
  async see(text: string): Promise<void> {
    for (let patience = 3; ; patience--) {
      try {
        return await this.screen.until(text);
      } catch (error) {
        if (patience === 1) throw error;
      }
    }
  }

  type(text: string): void {
    this.keyboard.write(text);
  }

  leave(): Promise<"left" | "ended"> {
    this.type("\x1d");
    return this.left;
  }
}

/** Resolves when the guest is up: its shell waits. Its log also has what it said in an earlier life, unless `history` is 0. */
export async function booted(engine: VmEngine, name: string, history?: number): Promise<void> {
  const seat = new Seat(engine, name, history);
  await seat.see("guest ready");
  await seat.leave();
}

/** What a command in the guest says, by its agent. */
export async function inGuest(engine: VmEngine, name: string, script: string): Promise<string> {
  const streams = new Captured();
  const code = await engine.exec(name, { command: ["/bin/sh", "-c", script], tty: false }, streams);
  // Streams pass on what was written a turn later.
  if (streams.stdout.readableLength > 0) await once(streams.stdout, "data");
  if (code !== 0) throw new Error(`${script} failed with ${code}: ${streams.out}${streams.err}`);
  return streams.out;
}

/** Collects events, and resolves when one has come. */
export class Events {
  readonly list: VmEvent[] = [];
  readonly #abort = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(engine: VmEngine) {
    engine.watch(
      LABELS,
      (event) => {
        this.list.push(event);
        for (const look of this.#waiting) look();
      },
      this.#abort.signal,
    );
  }

  /** The first such event that has come. */
  find(wanted: Pick<VmEvent, "name" | "what">): VmEvent | undefined {
    return this.list.find((each) => each.name === wanted.name && each.what === wanted.what);
  }

  until(wanted: Pick<VmEvent, "name" | "what">): Promise<VmEvent> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(this.list)}`)),
        30_000,
      );
      const look = () => {
        const event = this.find(wanted);
        if (event === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(event);
      };
      this.#waiting.add(look);
      look();
    });
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}
