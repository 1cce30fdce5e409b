import { YardError } from "@switchyard/base";
import { readCommand } from "./commands.ts";
import { readContainer } from "./containers.ts";
import { Given } from "./given.ts";
import { checkTunnel, isJointFile, readJoint } from "./joints.ts";
import { checkWay, readMachine, Writers } from "./machines.ts";
import { nicDenial } from "./making.ts";
import { nearest } from "./nearest.ts";
import { readNics } from "./nics.ts";
import type { Path } from "./places.ts";
import { type PublishedPorts, readPorts } from "./ports.ts";
import type { Reading, Written } from "./reading.ts";
import { readRoutes } from "./routes.ts";
import type { CommonFile, NodeFile } from "./schema-nodes.ts";
import type { NetworkSpec, NicSpec, NodeSpec, RouteSpec } from "./types.ts";

/** Every node has a number of its own in 1..65535. */
const MOST_NODES = 65_535;

/** A node in the making: links still add nics. */
export interface DraftNode {
  readonly spec: NodeSpec;
  /** The array that `spec.nics` is. */
  readonly nics: NicSpec[];
  /** Where each nic is written. */
  readonly paths: Path[];
  readonly routes: readonly Written<RouteSpec>[];
  /** Whether it is the first, or the only one, of its entry in the file. */
  readonly first: boolean;
}

/** The nodes of a file, expanded. */
export class Nodes {
  readonly byName = new Map<string, DraftNode>();
  private readonly counts = new Map<string, number>();

  constructor(private readonly reading: Reading) {}

  counted(name: string, count: number): void {
    this.counts.set(name, count);
  }

  /** The node of a name that is written at `path`; reports what is wrong if there is none. */
  find(
    name: string,
    path: Path,
    problem: (message: string, hint: string | undefined) => YardError,
  ): DraftNode | undefined {
    const node = this.byName.get(name);
    if (node === undefined && !this.unsure(name))
      this.reading.places.report(path, () => problem(`there is no node "${name}"`, this.hint(name)));
    return node;
  }

  private unsure(name: string): boolean {
    const { reading } = this;
    return (
      reading.unsure(["nodes"]) ||
      reading.unsure(["nodes", name]) ||
      reading.unsure(["nodes", name.replace(/-\d+$/, "")])
    );
  }

  private hint(name: string): string | undefined {
    const count = this.counts.get(name);
    if (count !== undefined)
      return count === 1
        ? `it is called ${name}-1, for it has a count`
        : `there are ${count} of them: ${name}-1 … ${name}-${count}`;
    const near = nearest(name, this.byName.keys());
    return near === undefined ? undefined : `did you mean "${near}"?`;
  }
}

/** Reads and expands the nodes in file order. */
export function readNodes(networks: Map<string, NetworkSpec>, reading: Reading): Nodes {
  const nodes = new Nodes(reading);
  const seen: Seen = { published: new Map(), writers: new Writers(reading), tunnels: new Map() };
  let room = MOST_NODES;
  for (const name of reading.places.keys(["nodes"])) {
    const files = reading.data.nodes;
    // One that was left out, for it is broken, may be called as something that every object has.
    const file = files !== undefined && Object.hasOwn(files, name) ? files[name] : undefined;
    if (file === undefined) continue;
    room -= isJointFile(file) ? 1 : (file.count ?? 1);
    if (room < 0) {
      reading.places.reportKey(
        ["nodes", name],
        () => new YardError("lab.too-many-nodes", `a lab has at most ${MOST_NODES} nodes`),
      );
      break;
    }
    if (isJointFile(file)) {
      const joint = readJoint(name, file, networks, seen.published, reading);
      checkTunnel(joint.spec, seen.tunnels, reading);
      nodes.byName.set(name, { ...joint, first: true });
      continue;
    }
    readNode(name, file, networks, nodes, seen, reading);
  }
  return nodes;
}

/** What nodes must not have in common. */
interface Seen {
  readonly published: PublishedPorts;
  readonly writers: Writers;
  readonly tunnels: Map<number, string>;
}

function readNode(
  name: string,
  file: NodeFile,
  networks: Map<string, NetworkSpec>,
  nodes: Nodes,
  seen: Seen,
  reading: Reading,
): void {
  const path = ["nodes", name];
  const count = file.count ?? 1;
  if (name.toLowerCase() === "localhost")
    reading.places.reportKey(
      path,
      () => new YardError("node.bad-name", 'a node cannot be called "localhost": to every node that is itself'),
    );
  const given = new Given<Partial<CommonFile>>(file, path, reading.data.defaults?.[file.kind], ["defaults", file.kind]);
  const nics = readNics(given.get("nics") ?? [], given.path("nics"), { reading, networks, count });
  const routes = readRoutes(given.get("routes"), given.path("routes"), undefined, reading);
  const common = {
    routes: routes.map(({ value }) => value),
    sysctls: readSettings("sysctls", name, file, reading),
    env: readSettings("env", name, file, reading),
    ports: readPorts(file.ports, [...path, "ports"], seen.published, reading),
    exec: (given.get("exec") ?? []).flatMap((words, index) => {
      const argv = readCommand(words, [...given.path("exec"), index], reading);
      return argv === undefined ? [] : [argv];
    }),
  };
  if (common.ports.length > 0 && count > 1)
    reading.places.reportKey(
      [...path, "ports"],
      () =>
        new YardError("port.counted", `${file.count} nodes cannot publish the same port`, {
          hint: "publish it from a node of its own",
        }),
    );
  const part = readKind(file, path, nics.length, reading);
  if (part.kind === "vm") {
    seen.writers.add(name, part.disks, count, path);
    if (common.ports.length > 0)
      checkWay(
        name,
        nics.map(({ value }) => value),
        networks,
        path,
        reading,
      );
  }
  for (const { value, path: at } of nics) {
    const type = value.network === undefined ? undefined : networks.get(value.network)?.type;
    const denied = type === undefined ? undefined : nicDenial(file.kind, type, `nic "${value.name}" of "${name}"`);
    if (denied !== undefined) reading.places.report([...at, "network"], () => denied);
  }
  const nicRoutes = nics.flatMap(({ value, path: at }) =>
    value.routes.map((route, index) => ({ value: route, path: [...at, "routes", index] })),
  );
  if (file.count !== undefined) nodes.counted(name, file.count);
  for (let n = 0; n < count; n++) {
    const own = file.count === undefined ? name : `${name}-${n + 1}`;
    const ownNics = nics.map(({ value }) =>
      value.slot === undefined || n === 0 ? value : { ...value, slot: value.slot + n },
    );
    const spec: NodeSpec = { ...part, name: own, nics: ownNics, ...common };
    if (own.length > 63) {
      reading.places.reportKey(
        path,
        () =>
          new YardError("node.bad-name", `"${own}" has more than 63 characters`, {
            hint: "the number that `count` adds needs room too",
          }),
      );
      return;
    }
    if (nodes.byName.has(own)) {
      reading.places.reportKey(
        path,
        () =>
          new YardError("node.duplicate-name", `there are two nodes "${own}"`, {
            hint: "one of them comes from a `count`: rename the other",
          }),
      );
      return;
    }
    nodes.byName.set(own, {
      spec,
      nics: ownNics,
      paths: nics.map(({ path: at }) => at),
      routes: [...routes, ...nicRoutes],
      first: n === 0,
    });
  }
}

/** What only nodes of its kind have. */
function readKind(file: NodeFile, path: Path, nics: number, reading: Reading) {
  switch (file.kind) {
    case "netns":
      return { kind: file.kind };
    case "container":
      return readContainer(file, path, nics, reading);
    case "vm":
      return readMachine(file, path, nics, reading);
  }
}

/** `env` or `sysctls`: the defaults' entries, replaced and joined by the node's own. */
function readSettings(key: "env" | "sysctls", name: string, file: NodeFile, reading: Reading): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const path of [
    ["defaults", file.kind, key],
    ["nodes", name, key],
  ])
    for (const setting of reading.places.keys(path)) {
      const at = [...path, setting];
      const value = reading.places.spelled(at);
      if (value === undefined) continue;
      settings[setting] = value;
      if (key === "sysctls") checkSysctl(setting, value, at, file.kind, reading);
    }
  return settings;
}

/** namespaces(7), ipc_namespaces(7): what a node has of its own. */
const NET = /^net\./;
const IPC = /^(kernel\.(msg\w+|sem|shm\w+|domainname)|fs\.mqueue\..+)$/;

function checkSysctl(name: string, value: string, path: Path, kind: NodeFile["kind"], reading: Reading): void {
  if (!NET.test(name) && !(kind === "container" && IPC.test(name)))
    reading.places.reportKey(
      path,
      () =>
        new YardError("sysctl.not-namespaced", `${name} belongs to the whole host, not to a node`, {
          hint:
            kind === "netns"
              ? "a netns node has the parameters net.* of its own"
              : "a container has net.*, kernel.msg*, kernel.sem, kernel.shm* and fs.mqueue.* of its own",
        }),
    );
  if (/[\n\r]/.test(value) || value === "" || value === "true" || value === "false")
    reading.places.report(
      path,
      () =>
        new YardError("sysctl.bad-value", `${name} cannot be ${value === "" ? "empty" : JSON.stringify(value)}`, {
          hint: "kernel parameters are numbers or words: 1 is on, 0 is off",
        }),
    );
}
