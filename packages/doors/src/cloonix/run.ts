/** Carries commands out on the model of the net's yard. */
import { YardError } from "@switchyard/base";
import type { NatLease } from "@switchyard/yard/agent";
import { contradiction, impairSpec, networkSpec, nodeSpec, UNIMPAIRED, withSetting } from "@switchyard/yard/model";
import {
  addNode,
  type Commanded,
  clearYard,
  freeSubnet,
  type NodeEntry,
  plugNic,
  removeNode,
  rowsOf,
  type Scope,
  type Store,
  setImpair,
  setRstp,
  spyNic,
} from "@switchyard/yard/store";
import type { Addition, CloonixCommand, Place } from "./command.ts";
import { dumpLines } from "./dump.ts";
import { itemOf, settingWords } from "./items.ts";
import { listLines } from "./list.ts";

/** What the door stands on: a net whose agent runs. */
export interface Ground {
  readonly net: string;
  readonly yard: string;
  readonly store: Store;
  /** The name of this host in the database. */
  readonly host: string;
  /** The folder of images that all yards of the host share. */
  readonly images: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** The ground of another net of this host; undefined where that does not run. */
  readonly distant: (yard: string) => Promise<(Ground & AsyncDisposable) | undefined>;
  /** What a nat has leased. */
  readonly leases: (nat: string) => readonly NatLease[];
  /** Writes a change and waits for the agent's word; one that failed is withdrawn. */
  readonly commit: (title: string, write: () => Promise<Commanded>, scope: Scope) => Promise<boolean>;
}

/** Milliseconds that an item may come later than what is said of it, as scripts make machines in the background. */
const PATIENCE = 10_000;

/**
 * Carries one out.
 *
 * @returns what it prints
 * @throws YardError of this door, and what keeps the change from being made
 */
export async function runCommand(
  command: Exclude<CloonixCommand, { do: "yard" | "config" }>,
  ground: Ground,
): Promise<readonly string[]> {
  const { store } = ground;
  switch (command.do) {
    case "add":
      await add(command, ground);
      return [`OK ${command.name}`];
    case "plug":
      await plug(command, command.lan, ground);
      return [`OK ${command.item} ${command.num} ${command.lan}`];
    case "unplug":
      await unplug(command, command.lan, ground);
      return [`OK ${command.item} ${command.num} ${command.lan}`];
    case "delete": {
      const { name } = command;
      const { spec } = itemNamed(name, ground);
      const is = itemOf(spec);
      if (command.item !== undefined && is !== command.item && !(command.item in ALIKE && is === "cru"))
        throw new YardError("cloonix.wrong-kind", `${name} is of kind ${is ?? spec.kind}, not ${command.item}`, {
          hint: `cloonix_cli ${ground.net} del sat ${name} deletes any kind`,
        });
      await ground.commit(`del ${name}`, () => removeNode(store, name), { nodes: [name] });
      if (spec.kind === "c2c" && spec.to.type === "yard") await deleteFarEnd(name, spec.to, ground);
      return [`OK ${name}`];
    }
    case "delete-all":
      await ground.commit("del all", () => clearYard(store), {});
      return ["OK"];
    case "spy": {
      const { item, num, on } = command;
      await itemComes(command, ground);
      const nic = itemNamed(item, ground).nics.find(({ index }) => index === num);
      const write = () => spyNic(store, item, nic?.name ?? String(num), on);
      await ground.commit(`snf ${item} ${num}`, write, { nodes: [item] });
      return [`OK ${item} ${num}`];
    }
    case "impair":
      await impair(command, ground);
      return [`OK ${command.name}`];
    case "rstp": {
      const { lan, on } = command;
      await ground.commit(`cnf lan ${lan}`, () => setRstp(store, lan, on), { networks: [lan] });
      return [`OK ${lan}`];
    }
    case "impairment":
      return impairment(command.name, ground);
    case "lease":
      return [lease(command, ground)];
    case "list":
      return listLines(rowsOf(store.db), ground);
    case "dump":
      return dumpLines(rowsOf(store.db));
  }
}

/** Names of what is a container of the oci runtime here. */
const ALIKE = { cru: true, zip: true, cvm: true } as const;

async function add({ name, node, natplug }: Addition, ground: Ground): Promise<void> {
  const { store, environment, yard, host } = ground;
  // A nat that names no subnet has one that is free.
  const whole = node.kind === "nat" ? { cidr: freeSubnet(store, yard), ...node } : node;
  const spec = nodeSpec(name, whole, { networks: rowsOf(store.db).networks, environment });
  const place = { yard, host };
  await ground.commit(`add ${name}`, () => addNode(store, spec, place), { nodes: [name] });
  if (spec.kind === "c2c" && spec.to.type === "yard") await addFarEnd(name, spec.to, ground);
  if (natplug === undefined) return;
  const [nat, lan] = [`nat_${name}`, `lan_nat_${name}`];
  const made = [name];
  try {
    await add({ name: nat, node: { kind: "nat", nics: ["none"] } }, ground);
    made.push(nat);
    await plug({ item: nat, num: 0 }, lan, ground);
    await plug({ item: name, num: natplug }, lan, ground);
  } catch (error) {
    // One command: what it has made until then goes with it.
    for (const item of made.reverse())
      await ground.commit(`del ${item}`, () => removeNode(store, item), { nodes: [item] });
    throw error;
  }
}

/** The other end of a c2c is made with this one, where the other net runs. */
async function addFarEnd(name: string, to: FarEnd, ground: Ground): Promise<void> {
  await using distant = await ground.distant(to.yard);
  if (distant === undefined || rowsOf(distant.store.db).nodes.some((it) => leadsTo(it, name, to, ground))) return;
  const node = { kind: "c2c", yard: ground.yard, node: name, nics: ["none"] };
  const spec = nodeSpec(to.node, node, { networks: [], environment: ground.environment });
  const place = { yard: distant.yard, host: distant.host };
  await distant.commit(`add ${to.node}`, () => addNode(distant.store, spec, place), { nodes: [to.node] });
}

/** And goes with it. */
async function deleteFarEnd(name: string, to: FarEnd, ground: Ground): Promise<void> {
  await using distant = await ground.distant(to.yard);
  if (distant === undefined || !rowsOf(distant.store.db).nodes.some((it) => leadsTo(it, name, to, ground))) return;
  await distant.commit(`del ${to.node}`, () => removeNode(distant.store, to.node), { nodes: [to.node] });
}

interface FarEnd {
  readonly yard: string;
  readonly node: string;
}

/** Whether a node of the other net is the other end. */
function leadsTo({ name: own, spec }: NodeEntry, name: string, to: FarEnd, { yard }: Ground): boolean {
  const back = spec.kind === "c2c" && spec.to.type === "yard" ? spec.to : undefined;
  return own === to.node && back?.yard === yard && back.node === name;
}

async function plug(at: Place, lan: string, ground: Ground): Promise<void> {
  const { store, environment, yard, host } = ground;
  const spec = networkSpec(lan, {}, environment);
  await itemComes(at, ground);
  await ground.commit(
    `add lan ${at.item} ${at.num} ${lan}`,
    () => plugNic(store, at.item, at.num, spec, { yard, host }),
    { nodes: [at.item], networks: [lan] },
  );
}

async function unplug({ item, num }: Place, lan: string, ground: Ground): Promise<void> {
  const { store, yard, host } = ground;
  const nic = itemNamed(item, ground).nics.find(({ index }) => index === num);
  if (nic !== undefined && nic.network !== lan)
    throw new YardError(
      "cloonix.not-plugged",
      `${item} ${num} is ${nic.network === undefined ? "on no lan" : `on ${nic.network}`}`,
    );
  await ground.commit(`del lan ${item} ${num} ${lan}`, () => plugNic(store, item, num, undefined, { yard, host }), {
    nodes: [item],
  });
}

async function impair(command: Extract<CloonixCommand, { do: "impair" }>, ground: Ground): Promise<void> {
  const { name, dir, setting, value } = command;
  itemNamed(name, ground);
  const write = () =>
    setImpair(ground.store, { node: name }, (present) => {
      const ways = [present?.forward ?? UNIMPAIRED, present?.backward ?? UNIMPAIRED] as const;
      const after = withSetting(ways[dir], setting, value);
      const wrong = contradiction(after);
      if (wrong) throw wrong.error;
      return dir === 0 ? impairSpec(after, ways[1]) : impairSpec(ways[0], after);
    });
  await ground.commit(`cnf a2b ${name}`, write, { nodes: [name] });
}

function impairment(name: string, ground: Ground): readonly string[] {
  const { spec } = itemNamed(name, ground);
  if (spec.kind !== "a2b")
    throw new YardError("cloonix.wrong-kind", `${name} is of kind ${itemOf(spec) ?? spec.kind}, not a2b`);
  const { forward = UNIMPAIRED, backward = UNIMPAIRED } = spec.impair ?? {};
  return [...settingWords(name, 0, forward), ...settingWords(name, 1, backward)].map(([, words = ""]) => words);
}

function lease({ nat, node }: Extract<CloonixCommand, { do: "lease" }>, ground: Ground): string {
  const { spec, nics: ends } = itemNamed(nat, ground);
  if (spec.kind !== "nat")
    throw new YardError("cloonix.wrong-kind", `${nat} is of kind ${itemOf(spec) ?? spec.kind}, not nat`);
  const lans = new Set(ends.flatMap(({ network }) => network ?? []));
  const { nics } = itemNamed(node, ground);
  const here = nics.filter(({ network = "" }) => lans.has(network));
  // What is on none of its lans may be behind an a2b or a c2c; of nics with one MAC that which is on its lan is meant.
  const macs = new Set((here.length > 0 ? here : nics).map(({ mac }) => String(mac)));
  const leased = ground.leases(nat).filter(({ mac }) => mac !== undefined && macs.has(mac));
  const address = (leased.find((it) => !it.address.includes(":")) ?? leased[0])?.address;
  if (address !== undefined) return address;
  throw new YardError("cloonix.no-lease", `${node} has no address of ${nat}`, {
    hint: "its system asks for one by DHCP, on an interface on a lan with the nat, or behind an a2b",
  });
}

/** @throws YardError `node.unknown` */
function itemNamed(name: string, { store, net }: Ground) {
  const node = rowsOf(store.db).nodes.find((it) => it.name === name);
  if (node !== undefined) return node;
  throw new YardError("node.unknown", `the net ${net} has no item ${name}`, {
    hint: `cloonix_cli ${net} dmp shows what there is`,
  });
}

/** Waits for an item that somebody is just adding. @throws YardError `node.unknown` */
async function itemComes({ item }: Place, ground: Ground): Promise<void> {
  const { store, signal } = ground;
  const there = () => store.db.table("Node").find({ name: item }) !== undefined;
  await store.db.waitFor(there, { timeout: PATIENCE, signal }).catch((error) => {
    signal.throwIfAborted();
    if (there()) throw error;
  });
  itemNamed(item, ground);
}
