/** Figures in the text format of Prometheus. */
import type { Counters } from "@switchyard/vswitch";
import type { Work } from "@switchyard/yard/client";
import type { YardView } from "@switchyard/yard/view";

/** Upper bounds in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** How long things took, counted by label. */
class Histogram {
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();

  constructor(
    private readonly name: string,
    private readonly help: string,
  ) {}

  observe(seconds: number, labels: Labels = {}): void {
    const key = labelText(labels);
    const series = this.#series.get(key) ?? { counts: BOUNDS.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, series);
    for (const [at, bound] of BOUNDS.entries()) if (seconds <= bound) series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += seconds;
    series.count++;
  }

  lines(): string[] {
    const lines = [...this.#series].flatMap(([key, { counts, sum, count }]) => {
      const and = key === "" ? "" : `${key},`;
      const within = key === "" ? "" : `{${key}}`;
      return [
        ...BOUNDS.map((bound, at) => `${this.name}_bucket{${and}le="${bound}"} ${counts[at]}`),
        `${this.name}_bucket{${and}le="+Inf"} ${count}`,
        `${this.name}_sum${within} ${sum}`,
        `${this.name}_count${within} ${count}`,
      ];
    });
    return [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} histogram`, ...lines];
  }
}

type Labels = Readonly<Record<string, string>>;

/** What is counted while the server runs. */
export class Figures {
  readonly requests = new Histogram("switchyard_http_request_seconds", "Requests of the API, by operation and status.");
  readonly converging = new Histogram(
    "switchyard_agent_converge_seconds",
    "How long the agent took to look and make so.",
  );
  readonly planning = new Histogram("switchyard_agent_plan_seconds", "How long of that it looked and thought.");
  readonly roundTrips = new Histogram(
    "switchyard_ovsdb_round_trip_seconds",
    "Round trips to database servers, one at each scrape.",
  );

  work(work: Work): void {
    if (work.what !== "converged") return;
    this.converging.observe(work.milliseconds.all / 1_000);
    this.planning.observe(work.milliseconds.plan / 1_000);
  }
}

/** What is so at one moment. */
export interface Moment {
  readonly view: YardView;
  readonly agentRuns: boolean;
  readonly wanted: number;
  readonly applied: number;
  /** By port; of the nics' ports alone. */
  readonly counters: ReadonlyMap<string, Counters>;
  readonly listeners: number;
  readonly version: string;
}

/** The whole of `/metrics`. */
export function metricsText(figures: Figures, moment: Moment): string {
  const { view, counters } = moment;
  const states = new Map<string, number>();
  for (const { state, kind } of view.nodes) {
    const labels = labelText({ state, kind });
    states.set(labels, (states.get(labels) ?? 0) + 1);
  }
  const ports = view.nodes.flatMap((node) =>
    node.nics.flatMap((nic) => {
      const found = counters.get(nic.port);
      const labels = { node: node.name, nic: nic.name, network: nic.network ?? "", port: nic.port };
      return found === undefined ? [] : [{ labels: labelText(labels), counters: found }];
    }),
  );
  // Seen by the switch, `rx` is what a nic sends.
  const counter = (name: string, help: string, of: (counters: Counters) => number) => [
    `# HELP switchyard_nic_${name} ${help}`,
    `# TYPE switchyard_nic_${name} counter`,
    ...ports.map(({ labels, counters: found }) => `switchyard_nic_${name}{${labels}} ${of(found)}`),
  ];
  const gauge = (name: string, help: string, value: number, labels: Labels = {}) => [
    `# HELP switchyard_${name} ${help}`,
    `# TYPE switchyard_${name} gauge`,
    `switchyard_${name}${Object.keys(labels).length === 0 ? "" : `{${labelText(labels)}}`} ${value}`,
  ];
  const lines = [
    ...gauge("info", "The yard, and the version that serves it.", 1, {
      yard: view.yard,
      version: moment.version,
      datapath: view.datapath,
    }),
    ...gauge("agent_up", "Whether the agent runs.", moment.agentRuns ? 1 : 0),
    ...gauge("config_wanted", "The number of the state that is declared.", moment.wanted),
    ...gauge("config_applied", "The number of the state that is so.", moment.applied),
    ...gauge("labs", "Labs.", view.labs.length),
    ...gauge("networks", "Networks.", view.networks.length),
    ...gauge("event_listeners", "Clients that listen to events.", moment.listeners),
    "# HELP switchyard_nodes Nodes by state and kind.",
    "# TYPE switchyard_nodes gauge",
    ...[...states].map(([labels, count]) => `switchyard_nodes{${labels}} ${count}`),
    ...counter("sent_bytes_total", "Bytes that a nic has sent.", ({ rxBytes }) => rxBytes),
    ...counter("received_bytes_total", "Bytes that a nic was sent.", ({ txBytes }) => txBytes),
    ...counter("sent_packets_total", "Frames that a nic has sent.", ({ rxPackets }) => rxPackets),
    ...counter("received_packets_total", "Frames that a nic was sent.", ({ txPackets }) => txPackets),
    ...counter("sent_dropped_total", "Frames of a nic that the switch dropped.", ({ rxDropped }) => rxDropped),
    ...counter("received_dropped_total", "Frames for a nic that were dropped.", ({ txDropped }) => txDropped),
    ...counter("errors_total", "Errors of a nic's port.", ({ rxErrors, txErrors }) => rxErrors + txErrors),
    ...figures.roundTrips.lines(),
    ...figures.converging.lines(),
    ...figures.planning.lines(),
    ...figures.requests.lines(),
  ];
  return `${lines.join("\n")}\n`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(
      ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
    )
    .join(",");
}
