/** Virtual machines: `kvm.*`. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { YardError } from "@switchyard/base";
import type { VmEngine } from "@switchyard/runtime";
import { type FilePart, nodeSpec, nicSpec as readNic } from "@switchyard/yard/model";
import { addNode, attachNic, detachNic, removeNode } from "@switchyard/yard/store";
import { z } from "zod";
import { OVS_TAG, taggedContainers } from "../containers.ts";
import { change, type Ground, networksOf } from "../ground.ts";
import { type Call, command, type Handler } from "../job.ts";
import {
  engineName,
  livingNics,
  type Machine,
  type MachineNote,
  machineJson,
  machineNote,
  machineOf,
  machinesOf,
  targetOf,
} from "../machines.ts";
import type { Networks } from "../networks.ts";
import { nicPart, nicSchema, nicsSchema, placeNics, type ZeroosNic } from "../nics.ts";
import { Turns } from "../turns.ts";
import { addForward, checkForwards, forwardWords, portsSchema, removeForward, removeForwards } from "./forwards.ts";

/** Milliseconds that a guest may take to heed the power button before it is switched off. */
const GRACE = 60_000;

const text = z
  .string()
  .nullish()
  .transform((it) => it ?? "");
const mediaSchema = z.object({
  url: z.string().min(1),
  type: z
    .enum(["disk", "cdrom", ""])
    .nullish()
    .transform((type) => type || "disk"),
});
const createSchema = z.object({
  name: z.string().min(1),
  media: z
    .array(mediaSchema)
    .nullish()
    .transform((list) => list ?? []),
  /** A folder with a kernel, in place of media. */
  flist: text,
  cmdline: text,
  cpu: z.number().int().min(1),
  /** MiB. */
  memory: z.number().int().min(1),
  nics: nicsSchema,
  port: portsSchema,
});
const id = z.object({ uuid: z.string() });
const nicArguments = nicSchema.extend({ uuid: z.string() });
const forwardSchema = id.extend({
  host_port: z.union([z.string(), z.number().int()]).transform(String),
  container_port: z.number().int().min(1).max(65_535),
});

/** What the commands of machines share. */
interface Workshop {
  readonly ground: Ground;
  readonly networks: Networks;
}

export function kvmCommands(ground: Ground, networks: Networks): Readonly<Record<string, Handler>> {
  const shop: Workshop = { ground, networks };
  const turns = new Turns();
  /** A command for one machine, which has it to itself. */
  const forOne = <Schema extends z.ZodType<{ uuid: string }>>(
    schema: Schema,
    run: (machine: Machine, args: z.output<Schema>, call: Call) => Promise<unknown>,
  ) => command(schema, (args, call) => turns.take(args.uuid, () => run(machineOf(ground, args.uuid), args, call)));
  const byEngine = (run: (engine: VmEngine, name: string, call: Call) => Promise<unknown>) =>
    forOne(id, async (machine, _, call) => {
      await run(await ground.hypervisor(), engineName(ground, machine), call);
    });
  const end = async (machine: Machine, grace: number, { signal }: Call) => {
    const { node } = machine;
    const engine = await ground.hypervisor();
    const own = engineName(ground, machine);
    // One that could not be made, or was taken away behind our back, is to be forgotten all the same.
    if ((await engine.list({})).some(({ name }) => name === own)) await engine.stop(own, grace, signal);
    await change(ground, { nodes: [node.name] }, () => removeNode(ground.store, node.name));
    await networks.release(signal);
  };
  return {
    "kvm.create": command(createSchema, (args, call) => createMachine(shop, args, call)),
    "kvm.list": command(z.unknown(), async () => {
      const states = await statesOf(ground);
      return machinesOf(ground).map((machine) => machineJson(machine, states(machine)));
    }),
    "kvm.get": command(id, async ({ uuid }) =>
      machineJson(machineOf(ground, uuid), (await statesOf(ground))(machineOf(ground, uuid))),
    ),
    "kvm.info": command(id, async ({ uuid }) => {
      const names = livingNics(machineOf(ground, uuid)).map(({ row }) => row.status.port ?? row.name);
      return { Vcpu: [], Net: names.map((name) => ({ name })), Block: [] };
    }),
    "kvm.destroy": forOne(id, (machine, _, call) => end(machine, 0, call)),
    // A machine that was shut down is gone, as one of the original's is.
    "kvm.shutdown": forOne(id, (machine, _, call) => end(machine, GRACE, call)),
    "kvm.reboot": byEngine(async (engine, name, { signal }) => {
      await engine.stop(name, GRACE, signal);
      await engine.start(name, signal);
    }),
    "kvm.reset": byEngine((engine, name, { signal }) => engine.reset(name, signal)),
    "kvm.pause": byEngine((engine, name, { signal }) => engine.pause(name, signal)),
    "kvm.resume": byEngine((engine, name, { signal }) => engine.resume(name, signal)),
    "kvm.add_nic": forOne(nicArguments, (machine, nic, call) => addNic(shop, machine, nic, call)),
    "kvm.remove_nic": forOne(nicArguments, (machine, nic, call) => removeNic(shop, machine, nic, call)),
    "kvm.portforward-add": forOne(forwardSchema, (machine, args) =>
      addForward(ground, targetOf(machine), args.host_port, args.container_port),
    ),
    "kvm.portforward-remove": forOne(forwardSchema, (machine, args) =>
      removeForward(ground, targetOf(machine), args.host_port, args.container_port),
    ),
  };
}

async function createMachine(
  { ground, networks }: Workshop,
  args: z.output<typeof createSchema>,
  { tags, signal }: Call,
): Promise<string> {
  const { nics: asked, ...given } = args;
  if (given.media.length === 0 && given.flist === "")
    throw new YardError("zeroos.bad-argument", "at least one boot medium is needed: media, or an flist");
  for (const nic of asked) checkType(nic);
  const nics = placeNics([], asked);
  checkForwards(given.port, nics);
  const media = given.media.map((medium) => ({ ...medium, file: fileOf(ground, medium.url) }));
  const kernel = given.flist === "" ? {} : kernelOf(ground, given.flist, given.cmdline);
  const uuid = randomUUID();
  await networks.with(nics, hasOvs(ground), signal, async (on) => {
    const disks = media.filter(({ type }) => type === "disk").map(({ file }) => file);
    const isos = media.filter(({ type }) => type === "cdrom").map(({ file }) => file.file);
    const node: FilePart = {
      kind: "vm",
      ...kernel,
      ...(disks.length === 0 ? {} : { disks }),
      ...(isos.length === 0 ? {} : { iso: isos }),
      cpus: given.cpu,
      memory: `${given.memory}M`,
      nics: nics.map((nic, at) => nicPart(nic, on[at] ?? "")),
      ports: forwardWords(given.port),
    };
    const spec = nodeSpec(given.name, node, { networks: networksOf(ground), environment: ground.environment });
    const kept: MachineNote = { machine: uuid, tags: [...tags], arguments: given, nics };
    const place = { yard: ground.yard, host: ground.host };
    const notes = [machineNote(given.name, kept)];
    const scope = { nodes: [given.name], networks: on };
    await change(ground, scope, () => addNode(ground.store, spec, place, { notes }));
  });
  return uuid;
}

async function addNic({ ground, networks }: Workshop, machine: Machine, asked: ZeroosNic, { signal }: Call) {
  const { note: kept, node } = machine;
  checkType(asked);
  if (livingNics(machine).some(({ nic }) => nic.type === asked.type && nic.id === asked.id))
    throw new YardError("zeroos.bad-nic", `the machine is on the ${asked.type} ${asked.id} already`);
  const nics = placeNics(kept.nics, [onlyNic(asked)]);
  const added = nics.slice(kept.nics.length);
  await networks.with(added, hasOvs(ground), signal, async (on) => {
    const [part = {}] = added.map((one, at) => nicPart(one, on[at] ?? ""));
    const spec = readNic(part, { networks: networksOf(ground), environment: ground.environment });
    const notes = [machineNote(node.name, { ...kept, nics })];
    const scope = { nodes: [node.name], networks: on };
    const before = [machineNote(node.name, kept)];
    await change(ground, scope, () => attachNic(ground.store, node.name, spec, { notes }), before);
  });
}

async function removeNic({ ground, networks }: Workshop, machine: Machine, asked: ZeroosNic, { signal }: Call) {
  const { node } = machine;
  const found = livingNics(machine).find(
    ({ nic, row }) =>
      nic.type === asked.type &&
      (nic.type === "default" || nic.id === asked.id) &&
      (asked.hwaddr === "" || row.mac === asked.hwaddr.toLowerCase()),
  );
  if (found === undefined)
    throw new YardError("zeroos.no-nic", `the machine has no such nic on the ${asked.type} ${asked.id}`.trimEnd());
  if (found.nic.type === "default") await removeForwards(ground, targetOf(machine));
  const kept = machineOf(ground, machine.uuid).note;
  const nics = kept.nics.map((nic, at) => (at === found.at ? { ...nic, destroyed: true } : nic));
  const notes = [machineNote(node.name, { ...kept, nics })];
  await change(ground, { nodes: [node.name] }, () =>
    detachNic(ground.store, node.name, found.nic.interface, { notes }),
  );
  await networks.release(signal);
}

/** Without what else stands beside it. */
function onlyNic({ type, id: own, hwaddr, name, config, monitor }: ZeroosNic): ZeroosNic {
  return { type, id: own, hwaddr, name, config, monitor };
}

/** @throws YardError `zeroos.bad-nic` */
function checkType({ type }: ZeroosNic): void {
  if (type === "default" || type === "bridge" || type === "vlan" || type === "vxlan") return;
  throw new YardError("zeroos.bad-nic", `invalid nic type '${type}' of a machine`, {
    hint: "a machine has nics of the types default, bridge, vlan and vxlan",
  });
}

function hasOvs(ground: Ground): boolean {
  return taggedContainers(ground, [OVS_TAG]).length > 0;
}

/** The state of each machine, in libvirt's words. */
async function statesOf(ground: Ground): Promise<(machine: Machine) => string> {
  if (machinesOf(ground).length === 0) return () => "nostate";
  const known = new Map((await (await ground.hypervisor()).list({})).map((state) => [state.name, state.status]));
  return (machine) => {
    switch (known.get(engineName(ground, machine))) {
      case "running":
        return "running";
      case "paused":
        return "paused";
      case "created":
      case "exited":
        return "shutoff";
      case undefined:
        return "nostate";
    }
  };
}

/**
 * The image that a URL stands for: of one that was named when the server was started a copy is written to, of a file
 * of the host the file itself.
 *
 * @throws YardError `zeroos.root-unknown`
 */
function fileOf(
  { roots }: Ground,
  url: string,
): { readonly file: string; readonly format: string; readonly persistent: boolean } {
  const named = roots.get(url);
  const own = url.startsWith("file:///") ? fileURLToPath(url) : url;
  const file = named ?? (own.startsWith("/") && existsSync(own) ? own : undefined);
  if (file === undefined)
    throw new YardError("zeroos.root-unknown", `no image is known for the medium ${url}`, {
      hint: `name a file of the host, or say which stands for it: yard serve --root ${url}=IMAGE`,
    });
  return { file, format: file.endsWith(".qcow2") ? "qcow2" : "raw", persistent: named === undefined };
}

/** The kernel below a root's `boot`. @throws YardError `zeroos.root-unknown` */
function kernelOf({ roots }: Ground, flist: string, cmdline: string): FilePart {
  const root = roots.get(flist);
  const boot = root === undefined ? undefined : `${root}/boot`;
  const names = boot !== undefined && existsSync(boot) ? readdirSync(boot).sort() : [];
  const kernel = names.findLast((name) => name.startsWith("vmlinuz"));
  const initrd = names.findLast((name) => /^init(rd|ramfs)/.test(name));
  if (kernel === undefined)
    throw new YardError("zeroos.root-unknown", `no folder with a kernel is known for the flist ${flist}`, {
      hint: `say which stands for it, with vmlinuz and initrd in its boot: yard serve --root ${flist}=FOLDER`,
    });
  return {
    kernel: `${boot}/${kernel}`,
    ...(initrd === undefined ? {} : { initrd: `${boot}/${initrd}` }),
    ...(cmdline === "" ? {} : { append: cmdline }),
  };
}
