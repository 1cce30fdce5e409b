/**
 * The `config` columns: what of a node and a nic neither the engine looks for nor a query asks for, as canonical JSON.
 * What is empty or not given is left out, so that a bare node's is `{}`.
 */
import { type Cidr, type Ip, parseCidr, parseIp, YardError } from "@switchyard/base";
import { z } from "zod";
import type {
  A2bSpec,
  C2cSpec,
  CheckSpec,
  ContainerRuntime,
  ContainerSpec,
  GuestSpec,
  Impairment,
  ImpairSpec,
  LinkSpec,
  NatSpec,
  NetnsSpec,
  NicSpec,
  NodeSpec,
  PhySpec,
  RouteSpec,
  TapSpec,
  VmSpec,
} from "../model/types.ts";
import { canonicalJson, type Plain } from "./canonical.ts";
import { c2cSchema, natSchema, phySchema } from "./config-joint.ts";
import { machineConfig, machineSchema, wholeMachine } from "./config-vm.ts";

/** What a nic's columns do not hold. */
export type NicConfig = Pick<NicSpec, "gateway" | "dns" | "routes" | "dhcp" | "monitor" | "identity" | "impair">;
/** A node less its nics, which are rows of their own. */
export type NodeConfig =
  | Omit<NetnsSpec, "nics">
  | Omit<ContainerSpec, "nics">
  | Omit<GuestSpec, "nics">
  | Omit<VmSpec, "nics">
  | Omit<A2bSpec, "nics">
  | Omit<TapSpec, "nics">
  | Omit<NatSpec, "nics">
  | Omit<C2cSpec, "nics">
  | Omit<PhySpec, "nics">;

export function nodeConfigText(spec: NodeSpec | NodeConfig): string {
  const { routes, sysctls, env, ports, exec } = spec;
  const common = {
    routes: some(routes.map(plainRoute)),
    sysctls: Object.keys(sysctls).length === 0 ? undefined : sysctls,
    env: Object.keys(env).length === 0 ? undefined : env,
    ports: some(ports.map((port) => ({ ...port }))),
    exec: some(exec),
  };
  if (spec.kind === "netns" || spec.kind === "tap") return canonicalJson(common);
  if (spec.kind === "a2b") return canonicalJson({ ...common, impair: plainImpair(spec.impair) });
  if (spec.kind === "nat") return canonicalJson({ ...common, cidr: [...spec.cidr] });
  if (spec.kind === "c2c") return canonicalJson({ ...common, to: plainTarget(spec.to) });
  if (spec.kind === "phy") return canonicalJson({ ...common, parent: spec.parent, mode: spec.mode });
  if (spec.kind === "guest") {
    const { engine, container, plugs } = spec;
    return canonicalJson({ ...common, engine, container, plugs: some(plugs) });
  }
  if (spec.kind === "vm") return canonicalJson({ ...common, ...machineConfig(spec) });
  return canonicalJson({
    ...common,
    image: spec.image,
    rootfs: spec.rootfs,
    pull: spec.pull,
    command: some(spec.command),
    entrypoint: spec.entrypoint,
    user: spec.user,
    hostname: spec.hostname,
    privileged: spec.privileged || undefined,
    hostNetwork: spec.hostNetwork || undefined,
    capAdd: some(spec.capAdd),
    devices: some(spec.devices),
    binds: some(spec.binds),
    cpus: spec.cpus,
    memory: spec.memory,
    engine: spec.engine,
  });
}

function plainTarget(to: C2cSpec["to"]): Plain {
  if (to.type === "yard") return { ...to };
  const { encrypt, ...rest } = to;
  return encrypt === undefined ? rest : { ...rest, encrypt: { ...encrypt } };
}

export function nicConfigText(spec: NicConfig): string {
  return canonicalJson({
    gateway: spec.gateway,
    dns: some(spec.dns),
    routes: some(spec.routes.map(plainRoute)),
    dhcp: spec.dhcp || undefined,
    monitor: spec.monitor || undefined,
    identity: spec.identity,
    impair: plainImpair(spec.impair),
  });
}

/** What a link's columns do not hold. */
export type LinkConfig = Pick<LinkSpec, "impair">;

export function linkConfigText(spec: LinkConfig): string {
  return canonicalJson({ impair: plainImpair(spec.impair) });
}

export function checksText(checks: readonly CheckSpec[]): string {
  return canonicalJson(checks.map((check) => ({ ...check })));
}

/** @throws YardError `store.bad-row` */
export function parseNodeConfig(row: {
  readonly name: string;
  readonly kind: string;
  readonly runtime: string;
  readonly config: string;
}): NodeConfig {
  const where = `Node ${row.name}`;
  const { name } = row;
  if (row.kind === "tap") return { kind: row.kind, name, ...parse(commonSchema, row.config, where) };
  if (row.kind === "a2b") {
    const { impair, ...common } = parse(commonSchema.extend(linkSchema.shape), row.config, where);
    return { kind: row.kind, name, ...common, impair };
  }
  if (row.kind === "nat") return { kind: row.kind, name, ...parse(commonSchema.extend(natSchema), row.config, where) };
  if (row.kind === "c2c") return { kind: row.kind, name, ...parse(commonSchema.extend(c2cSchema), row.config, where) };
  if (row.kind === "phy") return { kind: row.kind, name, ...parse(commonSchema.extend(phySchema), row.config, where) };
  if (row.kind === "netns") return { kind: row.kind, name, ...parse(commonSchema, row.config, where) };
  if (row.kind === "container") {
    const runtime = parseRuntime(row.runtime, where);
    return { kind: row.kind, name, runtime, ...optional(parse(containerSchema, row.config, where)) };
  }
  if (row.kind === "guest") {
    const runtime = parseRuntime(row.runtime, where);
    const { engine, container, plugs, ...common } = parse(guestSchema, row.config, where);
    return { kind: row.kind, name, runtime, ...common, engine, container, plugs };
  }
  if (row.kind === "vm")
    return { kind: row.kind, name, ...wholeMachine(parse(commonSchema.extend(machineSchema), row.config, where)) };
  throw new YardError("store.bad-row", `node ${name} is of the kind "${row.kind}", which this version does not know`, {
    where,
  });
}

/** @throws YardError `store.bad-row` */
export function parseNicConfig(text: string, where: string): NicConfig {
  const { gateway, impair, identity, ...rest } = parse(nicSchema, text, where);
  return { gateway, impair, identity, ...rest };
}

/** Rows of versions before there was such a column have it empty. @throws YardError `store.bad-row` */
export function parseLinkConfig(text: string, where: string): LinkConfig {
  return { impair: parse(linkSchema, text === "" ? "{}" : text, where).impair };
}

/** @throws YardError `store.bad-row` */
export function parseChecks(text: string, where: string): readonly CheckSpec[] {
  return parse(checksSchema, text, where);
}

const ip = z.string().transform((text): Ip => parseIp(text));
const cidr = z.string().transform((text): Cidr => parseCidr(text));
const words = z.array(z.string()).default([]);
const route = z
  .object({
    to: z.union([z.literal("default"), cidr]),
    via: ip.optional(),
    dev: z.string().optional(),
    metric: z.number().optional(),
  })
  .transform((it): RouteSpec => ({ to: it.to, via: it.via, dev: it.dev, metric: it.metric }));
const routes = z.array(route).default([]);
const port = z
  .object({
    address: ip.optional(),
    target: z.string().optional(),
    hostPort: z.number(),
    nodePort: z.number(),
    protocol: z.enum(["tcp", "udp"]),
  })
  .transform((it) => ({ ...it, address: it.address }));
const commonSchema = z.object({
  routes,
  sysctls: z.record(z.string(), z.string()).default({}),
  env: z.record(z.string(), z.string()).default({}),
  ports: z.array(port).default([]),
  exec: z.array(z.array(z.string())).default([]),
});
const containerSchema = commonSchema.extend({
  image: z.string().optional(),
  rootfs: z.string().optional(),
  pull: z.enum(["missing", "always", "never"]).default("missing"),
  command: words,
  entrypoint: z.array(z.string()).optional(),
  user: z.string().optional(),
  hostname: z.string().optional(),
  privileged: z.boolean().default(false),
  hostNetwork: z.boolean().default(false),
  capAdd: words,
  devices: words,
  binds: words,
  cpus: z.number().optional(),
  memory: z.number().optional(),
  engine: z.string().optional(),
});
const guestSchema = commonSchema.extend({
  engine: z.string().optional(),
  container: z.string().optional(),
  plugs: words,
});
const impairment = z
  .object({
    delay: z.number().default(0),
    jitter: z.number().default(0),
    correlation: z.number().default(0),
    loss: z.number().default(0),
    duplicate: z.number().default(0),
    reorder: z.number().default(0),
    corrupt: z.number().default(0),
    rate: z.number().optional(),
    queue: z.object({ unit: z.enum(["frames", "bytes"]), amount: z.number() }).optional(),
  })
  .transform((it): Impairment => ({ ...it, rate: it.rate, queue: it.queue }));
const impair = z.object({ forward: impairment, backward: impairment }).optional();
const nicSchema = z.object({
  gateway: z.array(ip).optional(),
  dns: z.array(ip).default([]),
  routes,
  dhcp: z.boolean().default(false),
  monitor: z.boolean().default(false),
  identity: z.string().optional(),
  impair,
});
const linkSchema = z.object({ impair });
const judged = { expect: z.enum(["pass", "fail"]), name: z.string(), timeout: z.number() };
const checksSchema = z.array(
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("ping"), from: z.string(), to: z.string(), ...judged }),
    z.object({ type: z.literal("tcp"), from: z.string(), to: z.string(), port: z.number(), ...judged }),
    z.object({ type: z.literal("exec"), node: z.string(), command: z.array(z.string()), ...judged }),
  ]),
);

/** Absent members as `undefined` ones: the model's types always have the member. */
function optional(parsed: z.infer<typeof containerSchema>) {
  const { image, rootfs, entrypoint, user, hostname, cpus, memory, engine } = parsed;
  return { ...parsed, image, rootfs, entrypoint, user, hostname, cpus, memory, engine };
}

function parse<T>(schema: z.ZodType<T>, text: string, where: string): T {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new YardError("store.bad-row", `${where}: its configuration is not JSON`, { cause, where });
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const problem = result.error.issues[0];
  throw new YardError(
    "store.bad-row",
    `${where}: ${problem?.path.join(".") || "its configuration"}: ${problem?.message}`,
    { cause: result.error, where },
  );
}

function parseRuntime(text: string, where: string): ContainerRuntime {
  if (text === "docker" || text === "podman" || text === "oci") return text;
  throw new YardError("store.bad-row", `${where}: "${text}" is no container runtime that this version knows`, {
    where,
  });
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function plainImpair(spec: ImpairSpec | undefined): Plain {
  return spec && { forward: plainDirection(spec.forward), backward: plainDirection(spec.backward) };
}

function plainDirection({ rate, queue, ...numbers }: Impairment): Plain {
  const shares = Object.entries(numbers).filter(([, value]) => value !== 0);
  return { ...Object.fromEntries(shares), rate, queue: queue && { ...queue } };
}

function plainRoute(it: RouteSpec): Plain {
  return { to: it.to, via: it.via, dev: it.dev, metric: it.metric };
}
