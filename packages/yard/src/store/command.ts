/**
 * The model changed command by command: each is one transaction, and what it makes belongs to no lab. One that fails
 * when it is applied is withdrawn, so that it leaves nothing behind.
 */
import { YardError } from "@switchyard/base";
import type { Transaction } from "@switchyard/ovsdb";
import type { ImpairSpec, NetworkSpec, NicSpec, NodeSpec, PortForward } from "../model/types.ts";
import { Change, type ChangeOptions } from "./change.ts";
import {
  linkConfigText,
  nicConfigText,
  nodeConfigText,
  parseLinkConfig,
  parseNicConfig,
  parseNodeConfig,
} from "./config.ts";
import type { Declared } from "./declare.ts";
import type { Place } from "./draft.ts";
import { undeclared } from "./implied.ts";
import type { Store } from "./store.ts";
import type { NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

/** A command that has been written down. */
export interface Commanded extends Declared {
  /**
   * Takes back what the command wrote, and no more: what was there before it is there again, and what others have
   * changed since stays. Undefined for commands that take away: they are not undone.
   */
  readonly withdraw: ((options?: ChangeOptions) => Promise<Declared>) | undefined;
}

/** @throws YardError `network.name-taken`; OvsdbError */
export function addNetwork(store: Store, spec: NetworkSpec, place: Place, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `add network ${spec.name}`, place, options, (change) => {
    const row = store.db.table("Network").find({ name: spec.name });
    const uuid = change.networks.write(spec, row, row?.lab);
    // The same again is no error; another of that name is.
    if (row && change.changed)
      throw new YardError("network.name-taken", `the network ${spec.name} exists and is made otherwise`, {
        hint: `remove it first: yard -y ${place.yard} rm ${spec.name}`,
      });
    const adopted = row ?? store.db.table("Network").get(uuid);
    return (undo) => {
      const made = store.db.table("Network").get(uuid);
      const before = adopted && undeclared(adopted.name);
      if (made === undefined || row !== undefined) return;
      if (before) undo.networks.write(before, made, undefined);
      else undo.networks.delete(made);
    };
  });
}

/** @throws YardError `network.unknown`, `network.in-use`; OvsdbError */
export function removeNetwork(store: Store, name: string, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `remove network ${name}`, undefined, options, (change) => {
    const row = store.db.table("Network").find({ name });
    if (row === undefined) throw new YardError("network.unknown", `the yard has no network ${name}`);
    change.networks.delete(row);
    return undefined;
  });
}

/**
 * @throws YardError `node.name-taken`, `nic.network-unknown`, `nic.ip-taken`, `nic.mac-taken`,
 * `network.addresses-exhausted`, `address.outside-network`, `node.ids-exhausted`; OvsdbError
 */
export function addNode(store: Store, spec: NodeSpec, place: Place, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `add node ${spec.name}`, place, options, (change) => {
    const row = store.db.table("Node").find({ name: spec.name });
    const uuids = change.nodes.write([{ spec, row }], row?.lab, row?.host ?? change.host(place.host));
    if (row && change.changed)
      throw new YardError("node.name-taken", `the node ${spec.name} exists and is made otherwise`, {
        hint: `remove it first: yard -y ${place.yard} rm ${spec.name}`,
      });
    const [uuid] = uuids;
    return (undo) => {
      const made = row === undefined && uuid !== undefined && store.db.table("Node").get(uuid);
      if (!made) return;
      undo.nodes.delete(made);
    };
  });
}

/** @throws YardError `node.unknown`, `node.not-ours`; OvsdbError */
export function removeNode(store: Store, name: string, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `remove node ${name}`, undefined, options, (change) => {
    change.nodes.delete(ownRow(store, name));
    return undefined;
  });
}

/**
 * Attaches a nic to a network: a new one, or the node's nic of that name, which moves and keeps its MAC.
 *
 * @throws YardError `node.unknown`, `node.host-network`, and those of {@link addNode} but for the name's
 */
export function attachNic(store: Store, node: string, spec: NicSpec, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `attach ${node}:${spec.name}`, undefined, options, (change) => {
    const row = ownRow(store, node);
    const config = parseNodeConfig(row);
    if (config.kind === "container" && config.hostNetwork)
      throw new YardError("node.host-network", `${node} is on the host's network and has no nics of its own`);
    const attached = change.nodes.attach(row, spec);
    if (attached === undefined) return undefined;
    const { uuid, before } = attached;
    return (undo) => {
      const now = store.db.table("Nic").get(uuid);
      const owner = store.db.table("Node").find({ name: node });
      if (now === undefined || owner === undefined) return;
      if (before) undo.nodes.restore(now, before);
      else
        undo.nodes.setNics(
          owner,
          [...owner.nics].filter((nic) => nic !== uuid),
        );
    };
  });
}

/** @throws YardError `node.unknown`, `nic.unknown`; OvsdbError */
export function detachNic(store: Store, node: string, nic: string, options?: ChangeOptions): Promise<Commanded> {
  return command(store, `detach ${node}:${nic}`, undefined, options, (change) => {
    const row = ownRow(store, node);
    const nics = store.db.table("Nic");
    const left = [...row.nics].filter((uuid) => nics.get(uuid)?.name !== nic);
    if (left.length === row.nics.size) throw new YardError("nic.unknown", `node ${node} has no nic ${nic}`);
    change.nodes.setNics(row, left);
    return undefined;
  });
}

/**
 * Changes which ports of the host lead to a node.
 *
 * @param change gives those that shall be, by those there are
 * @throws YardError `node.unknown`; OvsdbError
 */
export function changePorts(
  store: Store,
  node: string,
  change: (ports: readonly PortForward[]) => readonly PortForward[],
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `publish ports of ${node}`, undefined, options, (it) => {
    const row = ownRow(store, node);
    const before = parseNodeConfig(row);
    it.nodes.configure(row, { ...before, ports: change(before.ports) });
    return (undo) => {
      const now = store.db.table("Node").find({ name: node });
      if (now !== undefined) undo.nodes.configure(now, { ...parseNodeConfig(now), ports: before.ports });
    };
  });
}

/** What is impaired: the nic of a node, a link, or a node that does nothing else. */
export type Impaired =
  | { readonly node: string; readonly nic: string }
  | { readonly link: string }
  /** Of kind a2b. */
  | { readonly node: string };

/**
 * Changes the impairment of a nic, a link or an a2b.
 *
 * @param change makes the new one out of the present one
 * @throws YardError `node.unknown`, `nic.unknown`, `link.unknown`, `impair.on-wire`, and what `change` throws; OvsdbError
 */
export function setImpair(
  store: Store,
  what: Impaired,
  change: ImpairChange,
  options?: ChangeOptions,
): Promise<Commanded> {
  const name = "link" in what ? what.link : "nic" in what ? `${what.node}:${what.nic}` : what.node;
  return command(store, `impair ${name}`, undefined, options, (writer) => {
    const { table, row, config } =
      "link" in what
        ? linkConfig(store, what.link, change)
        : "nic" in what
          ? nicConfig(store, what, change)
          : a2bConfig(store, what.node, change);
    writer.setConfig(table, row, config);
    return (undo) => {
      const now = store.db.table(table).get(row._uuid);
      if (now) undo.setConfig(table, now, row.config);
    };
  });
}

/**
 * Has a nic spied on, or no longer.
 *
 * @throws YardError `node.unknown`, `nic.unknown`; OvsdbError
 */
export function spyNic(
  store: Store,
  node: string,
  nic: string,
  on: boolean,
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `spy ${node}:${nic} ${on ? "on" : "off"}`, undefined, options, (change) => {
    const nics = store.db.table("Nic");
    const uuid = [...nodeRow(store, node).nics].find((it) => nics.get(it)?.name === nic);
    const row = uuid === undefined ? undefined : nics.get(uuid);
    if (row === undefined) throw new YardError("nic.unknown", `node ${node} has no nic ${nic}`);
    change.nodes.setSpy(row, on);
    return (undo) => {
      const now = nics.get(row._uuid);
      if (now !== undefined) undo.nodes.setSpy(now, row.spy);
    };
  });
}

type ImpairChange = (present: ImpairSpec | undefined) => ImpairSpec | undefined;

function linkConfig(store: Store, name: string, change: ImpairChange) {
  const row = store.db.table("Link").find({ name });
  if (row === undefined) throw new YardError("link.unknown", `the yard has no link ${name}`);
  const present = parseLinkConfig(row.config, `Link ${name}`);
  return { table: "Link", row, config: linkConfigText({ ...present, impair: change(present.impair) }) } as const;
}

function a2bConfig(store: Store, name: string, change: ImpairChange) {
  const row = nodeRow(store, name);
  const present = parseNodeConfig(row);
  if (present.kind !== "a2b")
    throw new YardError("impair.no-pipe", `node ${name} is of kind ${present.kind}; its nics are impaired each`, {
      hint: `yard impair ${name}:eth0 …`,
    });
  return { table: "Node", row, config: nodeConfigText({ ...present, impair: change(present.impair) }) } as const;
}

function nicConfig(store: Store, { node, nic }: { readonly node: string; readonly nic: string }, change: ImpairChange) {
  const nics = store.db.table("Nic");
  const row = [...nodeRow(store, node).nics].map((uuid) => nics.get(uuid)).find((it) => it?.name === nic);
  if (row === undefined) throw new YardError("nic.unknown", `node ${node} has no nic ${nic}`);
  if (row.link !== undefined)
    throw new YardError("impair.on-wire", "the nic of a link is impaired by the link", {
      hint: `yard impair ${store.db.table("Link").get(row.link)?.name ?? "LINK"} …`,
    });
  const present = parseNicConfig(row.config, `Nic ${nic}`);
  return { table: "Nic", row, config: nicConfigText({ ...present, impair: change(present.impair) }) } as const;
}

function nodeRow(store: Store, name: string): NodeRow {
  const row = store.db.table("Node").find({ name });
  if (row === undefined) throw new YardError("node.unknown", `the yard has no node ${name}`);
  return row;
}

/**
 * The row of a node whose nics are not another program's to make. One that its engine does not own to is what a crash of
 * the engine has left.
 *
 * @throws YardError `node.unknown`, `node.not-ours`
 */
export function ownRow(store: Store, name: string): NodeRow {
  const row = nodeRow(store, name);
  const spec = parseNodeConfig(row);
  if (spec.kind !== "guest" || spec.container === undefined) return row;
  throw new YardError(
    "node.not-ours",
    `${name} is a container of ${row.runtime}'s own, with the nics that it asked for`,
    {
      hint: `use ${row.runtime} for that: ${row.runtime} rm, ${row.runtime} network connect, ${row.runtime} network disconnect`,
    },
  );
}

/** Takes back what a command has written. */
export type Undo = (change: Change) => void;

/** One command as one transaction; what `body` returns takes it back. */
export async function command(
  store: Store,
  comment: string,
  place: Place | undefined,
  options: ChangeOptions | undefined,
  body: (change: Change) => Undo | undefined,
): Promise<Commanded> {
  const { db } = store;
  const run = <R>(text: string, { notes = [], ...how }: ChangeOptions = {}, part: (change: Change) => R) =>
    db.transact(
      (tx: Transaction<SwitchyardTables>) => {
        const change = new Change(db, tx, place);
        const result = part(change);
        for (const note of notes) change.note(note);
        change.finish();
        return { cfg: change.cfg, changed: change.changed, result };
      },
      { comment: text, ...how },
    );
  const { cfg, changed, result: undo } = await run(comment, options, body);
  const withdraw =
    undo &&
    (async (how?: ChangeOptions): Promise<Declared> => {
      const { result, ...declared } = await run(`withdraw: ${comment}`, how, undo);
      return declared;
    });
  return { cfg, changed, withdraw: changed ? withdraw : undefined };
}
