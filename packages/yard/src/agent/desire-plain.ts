/** Nodes that hang on nothing but their networks, of which a large lab has many: what is desired for them is kept. */
import type { NetworkEntry, NicEntry, NodeEntry } from "../store/rows.ts";
import type {
  ContainerNodeState,
  ExecState,
  FileState,
  LinkState,
  MachineState,
  NamespaceState,
  PortState,
  TapState,
  VethState,
} from "./state.ts";

/** What a node puts into a state. */
export interface NodeStates {
  readonly namespaces: Map<string, NamespaceState>;
  readonly veths: Map<string, VethState>;
  readonly ports: Map<string, PortState>;
  readonly links: Map<string, LinkState>;
  readonly containers: Map<string, ContainerNodeState>;
  readonly taps: Map<string, TapState>;
  readonly machines: Map<string, MachineState>;
  readonly exec: Map<string, ExecState>;
  readonly files: Map<string, FileState>;
}

export function noStates(): NodeStates {
  return {
    ...{ namespaces: new Map(), veths: new Map(), ports: new Map(), links: new Map(), containers: new Map() },
    ...{ taps: new Map(), machines: new Map(), exec: new Map(), files: new Map() },
  };
}

/** What of it a plain node has. */
type PlainStates = {
  readonly [Part in "namespaces" | "veths" | "ports" | "links" | "exec" | "files"]: ReadonlyMap<
    string,
    NodeStates[Part] extends Map<string, infer Value> ? Value : never
  >;
};

/** Whether a node is a bare namespace that takes part in nothing which other nodes have a part in too. */
export function isPlain({ spec, nics, stopped }: NodeEntry, networks: ReadonlyMap<string, NetworkEntry>): boolean {
  if (stopped !== undefined || spec.kind !== "netns" || spec.ports.length > 0) return false;
  return nics.every((nic) => {
    const network = networks.get(nic.network ?? "");
    return network !== undefined && network.type !== "zerotier" && !isSpecial(nic);
  });
}

function isSpecial({ impair, dhcp, spy }: NicEntry): boolean {
  return impair !== undefined || dhcp || spy;
}

/** What was desired for plain nodes. */
export class KnownNodes {
  #hangsOn: readonly unknown[] = [];
  #states = new WeakMap<NodeEntry, PlainStates>();

  /** @param hangsOn all that their states are made of beside the nodes: with another member they are made anew */
  hangOn(hangsOn: readonly unknown[]): this {
    const before = this.#hangsOn;
    if (before.length !== hangsOn.length || before.some((it, i) => it !== hangsOn[i])) this.#states = new WeakMap();
    this.#hangsOn = hangsOn;
    return this;
  }

  has(node: NodeEntry): boolean {
    return this.#states.has(node);
  }

  /** Puts a plain node's states into `into`; those that are not known are made by `make`. */
  add(node: NodeEntry, into: NodeStates, make: (into: NodeStates) => void): void {
    let states = this.#states.get(node);
    if (states === undefined) {
      const made = noStates();
      make(made);
      const { namespaces, veths, ports, links, exec, files } = made;
      states = { namespaces, veths, ports, links: orNone(links), exec: orNone(exec), files };
      this.#states.set(node, states);
    }
    put(states.namespaces, into.namespaces);
    put(states.veths, into.veths);
    put(states.ports, into.ports);
    put(states.links, into.links);
    put(states.exec, into.exec);
    put(states.files, into.files);
  }
}

const NONE = new Map<string, never>();

/** A thousand empty maps take room. */
function orNone<Value>(map: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  return map.size === 0 ? NONE : map;
}

function put<Value>(from: ReadonlyMap<string, Value>, into: Map<string, Value>): void {
  for (const [key, value] of from) into.set(key, value);
}
