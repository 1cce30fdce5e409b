/** What is different about the nics of containers that another program runs. */
import type { Switch } from "@switchyard/vswitch";
import type { NodeEntry, Rows } from "../store/rows.ts";
import type { HostFacts } from "./host-facts.ts";
import { guestDevice } from "./names.ts";
import { ELSEWHERE, type ServiceState, type VethState } from "./state.ts";

/** The far end of a guest's nic: it waits on the host until the engine takes it, and does with it what it will. */
export function guestEnd(yard: string, port: string): Pick<VethState, "namespace" | "name" | "addresses"> {
  return { namespace: ELSEWHERE, name: guestDevice(yard, port), addresses: [] };
}

/** The ports on a switch that whoever runs a container has made for it, with the OpenFlow numbers that they ask for. */
export function foreignPorts(rows: Pick<Rows, "nodes">, db: Pick<Switch, "table">): HostFacts["foreign"] {
  const named = rows.nodes.flatMap(({ spec }) => (spec.kind === "guest" ? spec.plugs : []));
  return new Map(
    named.flatMap((name) => {
      const link = db.table("Interface").find({ name });
      return link === undefined ? [] : [[name, link.ofport_request] as const];
    }),
  );
}

/** The processes, one for each engine, that give such containers their nics back when they are restarted. */
export function keepers(nodes: readonly NodeEntry[], facts: HostFacts): Map<string, ServiceState> {
  const engines = new Set(
    nodes.flatMap(({ spec }) => (spec.kind === "guest" && spec.plugs.length > 0 ? [spec.engine] : [])),
  );
  return new Map(
    [...engines].map((engine, n) => [
      n === 0 ? KEEPER : `${KEEPER}-${n}`,
      {
        argv: [
          ...facts.executable,
          "-y",
          facts.yard,
          "ec-keeper",
          ...(engine === undefined ? [] : ["--engine", engine]),
        ],
        running: true,
        namespace: undefined,
        purpose: "yard",
      },
    ]),
  );
}

const KEEPER = "ec-keeper";
