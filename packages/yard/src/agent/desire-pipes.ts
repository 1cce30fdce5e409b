/** What impairs the frames of nics and links: bridges, pipes between them, and the relay where netem is not. */
import { hubName, PLAIN_PORT, pipeNames, wireName } from "@switchyard/vswitch";
import { netemWords } from "../impair/netem.ts";
import type { Pipe, PipesConfig } from "../impair/relay.ts";
import type { Impairment, ImpairSpec } from "../model/types.ts";
import type { LinkEntry, NicEntry, NodeEntry } from "../store/rows.ts";
import type { HostFacts } from "./host-facts.ts";
import { pipesFile, switchNamespace } from "./names.ts";
import { type BridgeState, type FileState, HOST, type PipeState, type PortState, type ServiceState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** The id of the service that relays impaired frames. */
export const PIPES = "impair";

/** A bridge that passes on every frame, also those that a bridge keeps to itself otherwise. */
function hubState(datapath: string, purpose: string): BridgeState {
  // Without it the bridge swallows 01:80:c2:00:00:0x, LLDP, LACP and STP (ovs-vswitchd.conf.db(5)).
  return { datapath, otherConfig: { "forward-bpdu": "true" }, hub: true, purpose };
}

interface Switch {
  readonly bridges: Map<string, BridgeState>;
  readonly ports: Map<string, PortState>;
  readonly pipes: Map<string, PipeState>;
}

/** Pipes as they are found on the way through the rows, and what the relay is told of them. */
export class Pipes {
  readonly #relayed: Pipe[] = [];

  constructor(
    private readonly facts: HostFacts,
    private readonly into: Switch,
  ) {}

  /** Adds a pipe between two ports of the switch, which are the caller's to add. */
  add(names: { readonly near: string; readonly far: string }, mtu: number, impair: ImpairSpec, purpose: string): void {
    const { near, far } = names;
    const common = { far, mtu, up: true, purpose };
    if (this.facts.netem) {
      const words = (way: Impairment) => netemWords(way, mtu).join(" ");
      const [there, back] = [words(impair.forward), words(impair.backward)];
      this.into.pipes.set(near, { ...common, by: "netem", forward: there, backward: back });
      return;
    }
    this.into.pipes.set(near, { ...common, by: "relay", forward: "", backward: "" });
    const namespace = switchNamespace(this.facts.yard) ?? HOST;
    const [forward, backward] = [plain(impair.forward), plain(impair.backward)];
    this.#relayed.push({ purpose, namespace, near, far, mtu, forward, backward });
  }

  /**
   * Puts a pipe between a nic and its network: the nic is alone with the near end on a bridge, and the far end is where
   * the nic would be.
   */
  addNic(node: NodeEntry, nic: NicEntry, port: PortState, mtu: number, impair: ImpairSpec): PortState {
    const { foreign, ...far } = port;
    const { purpose } = port;
    const names = pipeNames(node.objId, nic.index);
    const hub = hubName(node.objId, nic.index);
    this.into.bridges.set(hub, hubState(this.facts.datapath, purpose));
    this.into.ports.set(names.near, this.end({ ...PLAIN_PORT, bridge: hub, purpose }));
    this.into.ports.set(names.far, this.end(far));
    this.add(names, mtu, impair, purpose);
    return { ...PLAIN_PORT, bridge: hub, ...(foreign ? { foreign } : {}), purpose };
  }

  /** The port of an end: what netem does there is not the switch's business. */
  end(port: PortState): PortState {
    return { ...port, keepsQueue: this.facts.netem };
  }

  /** The process and the file that it follows; undefined where nothing is to be relayed. */
  service(): { readonly path: string; readonly file: FileState; readonly service: ServiceState } | undefined {
    if (this.#relayed.length === 0) return undefined;
    const path = pipesFile(this.facts.run);
    const config: PipesConfig = { pipes: this.#relayed };
    const text = `${JSON.stringify(config, undefined, 1)}\n`;
    return {
      path,
      file: { type: "text", text, bound: false, late: true, purpose: "yard" },
      service: {
        argv: [...this.facts.executable, "pipes", path],
        running: true,
        namespace: undefined,
        purpose: "yard",
      },
    };
  }
}

/** An end of a link on this host. */
interface End {
  readonly node: NodeEntry;
  readonly nic: NicEntry;
}

/**
 * Adds the bridges of the links: one each, or two with a pipe between them.
 *
 * @returns the bridge of each end, by the nic
 */
export function addWires(
  nodes: readonly NodeEntry[],
  links: readonly LinkEntry[],
  mtuOf: (nic: NicEntry) => number,
  pipes: Pipes,
  into: Switch,
  facts: HostFacts,
): Map<NicEntry, string> {
  const bridges = new Map<NicEntry, string>();
  const known = new Map(links.map((link) => [link.name, link]));
  const ends = nodes.flatMap((node) =>
    node.nics.flatMap((nic) =>
      nic.network === undefined && nic.link !== undefined ? [{ node, nic, link: nic.link }] : [],
    ),
  );
  for (const [name, both] of Map.groupBy(ends, ({ link }) => link)) {
    const [first, second] = inOrder(name, both);
    if (first === undefined) continue;
    const purpose = purposeOf({ kind: "link", link: name });
    const impair = known.get(name)?.impair;
    const own = (end: End) => {
      const bridge = wireName(end.node.objId, end.nic.index);
      into.bridges.set(bridge, hubState(facts.datapath, purpose));
      bridges.set(end.nic, bridge);
      return bridge;
    };
    if (impair === undefined || second === undefined) {
      // It is that of the nic whose node came first.
      const bridge = own(both[0] ?? first);
      for (const { nic } of both) bridges.set(nic, bridge);
      continue;
    }
    const names = pipeNames(first.node.objId, first.nic.index);
    into.ports.set(names.near, pipes.end({ ...PLAIN_PORT, bridge: own(first), purpose }));
    into.ports.set(names.far, pipes.end({ ...PLAIN_PORT, bridge: own(second), purpose }));
    pipes.add(names, Math.max(mtuOf(first.nic), mtuOf(second.nic)), impair, purpose);
  }
  return bridges;
}

/** The ends as the link's name has them. */
function inOrder(link: string, ends: readonly End[]): readonly End[] {
  const text = ({ node, nic }: End) => `${node.name}:${nic.name}`;
  const [a, b] = ends;
  return a && b && link === `${text(b)}--${text(a)}` ? [b, a] : ends;
}

function plain({ rate, queue, ...rest }: Impairment): Pipe["forward"] {
  return { ...rest, ...(rate === undefined ? {} : { rate }), ...(queue === undefined ? {} : { queue }) };
}
