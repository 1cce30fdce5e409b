/** Containers: `corex.*`. */
import { statSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { type FilePart, nodeSpec, nicSpec as readNic } from "@switchyard/yard/model";
import { addNode, attachNic, detachNic, removeNode, rowsOf } from "@switchyard/yard/store";
import { z } from "zod";
import {
  type ContainerNote,
  containerJson,
  containerNote,
  containerOf,
  containersOf,
  MOST_CONTAINERS,
  nodeName,
  OVS_TAG,
  taggedContainers,
  targetOf,
} from "../containers.ts";
import { change, type Ground, networksOf } from "../ground.ts";
import { type Call, command, commandSchema, type Handler } from "../job.ts";
import type { JobPlace, Jobs } from "../jobs.ts";
import type { Networks } from "../networks.ts";
import { nicPart, nicSchema, nicsSchema, placeNics, type ZeroosNic } from "../nics.ts";
import { Turns } from "../turns.ts";
import { addForward, checkForwards, forwardWords, portsSchema, removeForward, removeForwards } from "./forwards.ts";

const textMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});
const text = z
  .string()
  .nullish()
  .transform((it) => it ?? "");
const flag = z
  .boolean()
  .nullish()
  .transform((it) => it ?? false);

const createSchema = z.object({
  root: z.string().min(1, "root plist is required"),
  mount: textMap,
  host_network: flag,
  nics: nicsSchema,
  port: portsSchema,
  privileged: flag,
  hostname: text,
  /** Of the container on ZeroTier's networks. */
  identity: text,
  storage: text,
  name: text,
  env: textMap,
});
const id = z.object({ container: z.number().int() });
const nicAddSchema = id.extend({ nic: nicSchema });
const nicRemoveSchema = id.extend({ index: z.number().int() });
const findSchema = z.object({ tags: z.array(z.string()) });
const dispatchSchema = id.extend({ command: commandSchema });
const forwardSchema = id.extend({
  host_port: z.union([z.string(), z.number().int()]).transform(String),
  container_port: z.number().int().min(1).max(65_535),
});

/** The process that keeps a container: programs in it are run by `core.system` and `bash`. */
const IDLE = { entrypoint: ["sleep"], command: ["infinity"] };

export function corexCommands(
  ground: Ground,
  networks: Networks,
  jobs: Jobs,
  placeOf: (id: number) => JobPlace,
): Readonly<Record<string, Handler>> {
  // What reads what is kept of a container and writes it anew has the container to itself.
  const turns = new Turns();
  const shop: Workshop = { ground, networks, ids: new Ids(ground) };
  const listed = (containers: ReturnType<typeof containersOf>) =>
    Object.fromEntries(containers.map((container) => [container.id, containerJson(container)]));
  const create = command(createSchema, (args, call) => {
    const work = () => createContainer(shop, args, call);
    // Of two that would both be the one for Open vSwitch the second is refused.
    return call.tags.includes(OVS_TAG) ? turns.take(OVS_TAG, work) : work();
  });
  return {
    "corex.create": create,
    "corex.create-sync": create,
    "corex.list": command(z.unknown(), async () => listed(containersOf(ground))),
    "corex.find": command(findSchema, async ({ tags }) => listed(taggedContainers(ground, tags))),
    "corex.terminate": command(id, ({ container }, { signal }) =>
      turns.take(String(container), async () => {
        const { node } = containerOf(ground, container);
        await change(ground, { nodes: [node.name] }, () => removeNode(ground.store, node.name));
        await shop.networks.release(signal);
      }),
    ),
    "corex.dispatch": command(dispatchSchema, async ({ container, command: wanted }) => {
      const place = placeOf(container);
      if (wanted.id !== undefined && jobs.knows(wanted.id))
        throw new YardError("zeroos.duplicate-id", `there is a job with the id ${wanted.id} already`);
      return jobs.start(wanted, place);
    }),
    "corex.nic-add": command(nicAddSchema, ({ container, nic }, { signal }) =>
      turns.take(String(container), () => addNic(shop, container, nic, signal)),
    ),
    "corex.nic-remove": command(nicRemoveSchema, ({ container, index }, { signal }) =>
      turns.take(String(container), () => removeNic(shop, container, index, signal)),
    ),
    "corex.zerotier.list": command(id, async ({ container }) => {
      const { note, node } = containerOf(ground, container);
      return note.nics.flatMap(({ type, id: nwid, interface: name, destroyed }) => {
        const row = node.nics.find((one) => one.name === name);
        if (type !== "zerotier" || destroyed || row === undefined) return [];
        const status = row.status.state === "up" ? "OK" : "REQUESTING_CONFIGURATION";
        return [{ id: nwid, nwid, status, portDeviceName: name, assignedAddresses: row.status.assigned }];
      });
    }),
    "corex.portforward-add": command(forwardSchema, (args) =>
      turns.take(String(args.container), () =>
        addForward(ground, targetOf(containerOf(ground, args.container)), args.host_port, args.container_port),
      ),
    ),
    "corex.portforward-remove": command(forwardSchema, (args) =>
      turns.take(String(args.container), () =>
        removeForward(ground, targetOf(containerOf(ground, args.container)), args.host_port, args.container_port),
      ),
    ),
  };
}

/** What the commands of containers share. */
interface Workshop {
  readonly ground: Ground;
  readonly networks: Networks;
  readonly ids: Ids;
}

async function createContainer(
  { ground, networks, ids }: Workshop,
  args: z.output<typeof createSchema>,
  { tags, signal }: Call,
): Promise<number> {
  const isOvs = tags.includes(OVS_TAG);
  const ovs = taggedContainers(ground, [OVS_TAG]);
  if (isOvs && ovs[0] !== undefined)
    throw new YardError(
      "zeroos.second-ovs",
      `container ${ovs[0].id} is tagged ovs already, and there can only be one`,
      {
        hint: "use that one, or terminate it first",
      },
    );
  const { nics: asked, identity, ...given } = args;
  if (identity !== "" && asked.some(({ type }) => type === "zerotier"))
    throw new YardError("zeroos.not-offered", "a container gets an identity of its own on ZeroTier's networks", {
      hint: "leave identity out; a lab file can name one",
    });
  // With the host's network there is nothing to attach.
  const nics = args.host_network ? [] : placeNics([], asked);
  checkForwards(given.port, nics);
  const image = imageOf(ground, args.root);
  const binds = Object.entries(args.mount).map(([source, target]) => bind(source, target));
  using reserved = ids.reserve();
  const name = nodeName(reserved.id);
  await networks.with(nics, ovs.length > 0, signal, async (on) => {
    const node: FilePart = {
      kind: "container",
      runtime: ground.runtime,
      ...image,
      ...IDLE,
      nics: nics.map((nic, at) => nicPart(nic, on[at] ?? "")),
      env: args.env,
      privileged: args.privileged || isOvs,
      // Docker gives every container a network of its own.
      ...(args.host_network && ground.runtime !== "docker" ? { host_network: true } : {}),
      ...(args.hostname === "" ? {} : { hostname: args.hostname }),
      ports: forwardWords(given.port),
      binds: isOvs ? [...binds, `${ground.switchSocket}:/var/run/openvswitch/db.sock`] : binds,
    };
    const spec = nodeSpec(name, node, { networks: networksOf(ground), environment: ground.environment });
    const kept: ContainerNote = { container: reserved.id, tags: [...tags], arguments: given, nics };
    const place = { yard: ground.yard, host: ground.host };
    const notes = [containerNote(name, kept)];
    await change(ground, { nodes: [name], networks: on }, () => addNode(ground.store, spec, place, { notes }));
  });
  return reserved.id;
}

async function addNic({ ground, networks }: Workshop, id: number, nic: ZeroosNic, signal: AbortSignal): Promise<void> {
  const { note, node } = containerOf(ground, id);
  if (note.arguments.host_network) throw new YardError("zeroos.host-network", "cannot add a nic in host network mode");
  const nics = placeNics(note.nics, [nic]);
  const added = nics.slice(note.nics.length);
  const hasOvs = taggedContainers(ground, [OVS_TAG]).length > 0;
  await networks.with(added, hasOvs, signal, async (on) => {
    const [part = {}] = added.map((one, at) => nicPart(one, on[at] ?? ""));
    const spec = readNic(part, { networks: networksOf(ground), environment: ground.environment });
    const notes = [containerNote(node.name, { ...note, nics })];
    const scope = { nodes: [node.name], networks: on };
    const before = [containerNote(node.name, note)];
    await change(ground, scope, () => attachNic(ground.store, node.name, spec, { notes }), before);
  });
}

async function removeNic(
  { ground, networks }: Workshop,
  id: number,
  index: number,
  signal: AbortSignal,
): Promise<void> {
  const { note, node } = containerOf(ground, id);
  const nic = note.nics[index];
  if (nic === undefined) throw new YardError("zeroos.bad-argument", "nic index out of range");
  if (nic.destroyed) throw new YardError("zeroos.nic-state", "nic is in 'destroyed' state");
  if (nic.type === "default") await removeForwards(ground, targetOf(containerOf(ground, id)));
  const nics = note.nics.map((one, at) => (at === index ? { ...one, destroyed: true } : one));
  const notes = [containerNote(node.name, { ...containerOf(ground, id).note, nics })];
  await change(ground, { nodes: [node.name] }, () => detachNic(ground.store, node.name, nic.interface, { notes }));
  await networks.release(signal);
}

/** @throws YardError `zeroos.root-unknown` */
function imageOf({ roots }: Ground, root: string): FilePart {
  const image = roots.get(root) ?? roots.get("*");
  if (image === undefined)
    throw new YardError("zeroos.root-unknown", `no image is known for the root ${root}`, {
      hint: `say which stands for it: yard serve --root ${root}=IMAGE`,
    });
  const isFolder = image.startsWith("/") && statSync(image, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? { rootfs: image } : { image };
}

/** @throws YardError `zeroos.not-offered`, `zeroos.bad-argument` */
function bind(source: string, target: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(source))
    throw new YardError("zeroos.not-offered", `${source} cannot be mounted: only folders of the host can`);
  if (!source.startsWith("/") || !target.startsWith("/") || source.includes(":") || target.includes(":"))
    throw new YardError("zeroos.bad-argument", `the mount ${source} at ${target} needs two absolute paths`);
  if (statSync(source, { throwIfNoEntry: false }) === undefined)
    throw new YardError("zeroos.bad-argument", `host path '${source}' does not exist`);
  return `${source}:${target}`;
}

/** The numbers of containers: each is the next, and used again only when all have been. */
class Ids {
  readonly #reserved = new Set<number>();
  #last: number;

  constructor(private readonly ground: Ground) {
    this.#last = containersOf(ground).at(-1)?.id ?? 0;
  }

  /** @throws YardError `zeroos.too-many` */
  reserve(): Disposable & { readonly id: number } {
    const names = new Set(rowsOf(this.ground.store.db).nodes.map(({ name }) => name));
    const count = containersOf(this.ground).length + this.#reserved.size;
    if (count >= MOST_CONTAINERS)
      throw new YardError("zeroos.too-many", `reached the hard limit of ${MOST_CONTAINERS} containers`);
    do this.#last = this.#last >= 65_534 ? 1 : this.#last + 1;
    while (names.has(nodeName(this.#last)) || this.#reserved.has(this.#last));
    const id = this.#last;
    this.#reserved.add(id);
    return { id, [Symbol.dispose]: () => void this.#reserved.delete(id) };
  }
}
