import { existsSync } from "node:fs";
import { type Logger, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { observeSwitch, tunnelBridges } from "@switchyard/vswitch";
import { rowsOf } from "../store/rows.ts";
import { writeStatus } from "../store/status.ts";
import type { Store } from "../store/store.ts";
import { apply } from "./apply.ts";
import type { Failure } from "./blame.ts";
import { absentBridges, lacksBridge } from "./bridge-check.ts";
import { desire } from "./desire.ts";
import { bridgeFailures } from "./desire-bridges.ts";
import { unleased } from "./desire-dhcp.ts";
import { foreignPorts } from "./desire-guest.ts";
import { apartNodes } from "./desire-joints.ts";
import { portlessFailures } from "./desire-links.ts";
import { gatewayFailures } from "./desire-nat.ts";
import { natFailures } from "./desire-nat-node.ts";
import { phyFailures } from "./desire-phy.ts";
import { KnownNodes } from "./desire-plain.ts";
import { tunnelFailures } from "./desire-tunnel.ts";
import { unjoined } from "./desire-zerotier.ts";
import type { HostFacts } from "./host-facts.ts";
import { hostNetwork, kernelBridges } from "./host-network.ts";
import { LeaseDeadlines } from "./lease-deadlines.ts";
import { forgetLeases, readLeases } from "./leases.ts";
import { observe } from "./observe.ts";
import type { Ending } from "./pace.ts";
import { peerFacts } from "./peers.ts";
import { plan } from "./plan.ts";
import { recordEngines } from "./register.ts";
import { hostFailure, marksOf, reportOf } from "./report.ts";
import type { Site } from "./site.ts";
import type { SwitchHost } from "./switch-host.ts";
import { withoutUnreachable } from "./unreachable.ts";
import type { Watchers } from "./watchers.ts";
import { forgetHomes } from "./zerotier-work.ts";

/** What converges: a host, as its yard's database says. */
export interface Converging {
  /** What was so when the agent began; what may have changed since is looked up each time. */
  readonly facts: HostFacts;
  /** The host's row. */
  readonly host: Uuid;
  readonly store: Store;
  readonly site: Site;
  readonly switchHost: SwitchHost;
  readonly watchers: Watchers;
  readonly log: Logger;
  /** The ports that somebody captures from at present. */
  readonly captured: () => ReadonlySet<string>;
  /** Called when a nic has had its time to get an address. */
  readonly onDue: () => void;
}

/** Makes the host as the store says: what shall be, what is, the difference between them, and the word of it. */
export class Convergence implements Disposable {
  /** The number of the state that was last applied; it is told once nothing of it is waited for any more. */
  #applied = 0;
  readonly #nodes = new KnownNodes();
  readonly #leases: LeaseDeadlines;

  constructor(private readonly at: Converging) {
    this.#leases = new LeaseDeadlines(at.onDue);
  }

  /** @throws what keeps it from all of the state, not from a node or network alone, which its row tells */
  async once(): Promise<Ending> {
    const { site, store, switchHost, watchers } = this.at;
    const { run } = this.at.facts;
    const began = performance.now();
    // The host's switch may be another one by now.
    const offloads = switchHost.finishesPackets(this.at.facts.datapath);
    await switchHost.ready();
    const rows = rowsOf(store.db);
    const onSwitch = (name: string) => site.vswitch.table("Bridge").find({ name }) !== undefined;
    // A server sends what others have changed before it answers, be it nothing that it is asked.
    if (lacksBridge(rows, onSwitch)) await site.vswitch.execute([], { signal: site.signal });
    const facts = {
      ...this.at.facts,
      offloads,
      tunnels: tunnelBridges(site.vswitch),
      ...hostNetwork(this.at.facts.yard),
      kernelBridges: kernelBridges(rows, onSwitch),
      leases: readLeases(run),
      captured: this.at.captured(),
      foreign: foreignPorts(rows, site.vswitch),
      ...peerFacts(rows, run, site.namespace),
    };
    const cfg = rows.yard?.nextCfg ?? 0;
    const own = rows.hosts.find(({ uuid }) => uuid === this.at.host);
    if (!own) throw new YardError("agent.host-removed", `the row of host ${facts.host} is gone from the database`);
    const marks = marksOf(rows);
    const wanted = desire(rows, facts, this.#nodes);
    const seen = await observe(site, wanted, marks);
    const onHost = rows.nodes.filter((node) => node.host === facts.host && node.stopped === undefined);
    const networks = new Map(rows.networks.map((network) => [network.name, network]));
    const joining = unjoined(onHost, networks, seen.memberships);
    const { waiting, failures: leaseless } = this.#leases.look([...unleased(onHost, facts.leases), ...joining]);
    const { desired, actual, failures } = withoutUnreachable(wanted, seen);
    // Not those that nothing was ever made on, as they do not answer: `down --all` would need them.
    const engines = [...desired.containers.values(), ...actual.containers.values()];
    await recordEngines(store.db, this.at.host, engines, seen.answered);
    const asked = cfg > Math.max(own.curCfg, this.#applied);
    // Commands find their node's addresses there.
    const actions = plan(desired, actual, { revive: asked }).filter((it) => it.do !== "exec" || !waiting.has(it.node));
    const planned = performance.now();
    watchers.planned(cfg, actions);
    const outcome = await apply(site, desired, actions, seen, asked);
    const { problem } = switchHost;
    const ofHost: Failure[] = problem ? [{ subject: { kind: "yard" }, error: problem }] : [];
    const unreachable = [...gatewayFailures(rows, facts), ...natFailures(rows, facts), ...bridgeFailures(rows, facts)];
    const absent = [
      ...absentBridges(rows, facts, onSwitch),
      ...portlessFailures(rows, facts),
      ...tunnelFailures(rows, facts),
      // Asked now: a NIC that has just been pulled out is the host's again.
      ...phyFailures(rows, facts, (name) => existsSync(`/sys/class/net/${name}`)),
    ];
    // Of several failures of one row the last is told: what is the cause of others.
    const all = [...ofHost, ...failures, ...unreachable, ...leaseless, ...outcome.failures, ...absent];
    this.#applied = cfg;
    // A client writes its lease for as long as it runs.
    forgetLeases(run, (id) => wanted.services.has(id));
    const away = rows.nodes.flatMap(({ name, stopped }) => (stopped === undefined ? [] : [name]));
    forgetHomes(facts.state, wanted, away);
    for (const { subject } of all) if ("node" in subject) waiting.delete(subject.node);
    await writeStatus(
      store.db,
      {
        ...reportOf(rows, facts, {
          desired: wanted,
          failures: all,
          containers: new Map([...seen.containers, ...outcome.started]),
          machines: new Map([...seen.machines, ...outcome.booted]),
          ports: observeSwitch(site.vswitch, site.paths.yard, facts.foreign).ports,
          macs: seen.macs,
          marks: new Map([...marks, ...outcome.marks]),
          memberships: seen.memberships,
          stopped: outcome.stopped,
          apart: apartNodes(rows, facts),
          impairedBy: new Map([...wanted.pipes.values()].map(({ purpose, by }) => [purpose, by])),
        }),
        host: {
          uuid: this.at.host,
          status: { failure: hostFailure(all) },
          curCfg: waiting.size > 0 ? own.curCfg : cfg,
        },
      },
      site.signal,
    );
    const milliseconds = { plan: Math.round(planned - began), all: Math.round(performance.now() - began) };
    watchers.converged({ cfg, steps: actions.length, failures: all.length, milliseconds });
    this.at.log.debug({ cfg, actions: actions.length, failures: all.length, milliseconds }, "converged");
    // No event tells what becomes of a membership.
    return { asked, steps: actions.length, unfinished: all.length > 0 || joining.length > 0 };
  }

  [Symbol.dispose](): void {
    this.#leases[Symbol.dispose]();
  }
}
