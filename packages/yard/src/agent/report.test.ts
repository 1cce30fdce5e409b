import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import type { ObservedPort } from "@switchyard/vswitch";
import { rowsFrom } from "../../tests/rows-from.ts";
import { hostFacts, netns, network, nic } from "../../tests/specs.ts";
import type { NodeEntry, Rows } from "../store/rows.ts";
import type { NicStatus, NodeStatus } from "../store/status.ts";
import { desire } from "./desire.ts";
import { type Findings, reportOf } from "./report.ts";

const lab = rowsFrom([network("lan", ["10.1.0.0/24"])], [netns("a", [nic("eth0", "lan")]), netns("b", [])]);

function findings(rows: Rows, more: Partial<Findings> = {}): Findings {
  const desired = desire(rows, hostFacts);
  const seen = { ofport: 5, error: undefined, adminState: "up", linkState: "up" } as const;
  const ports = new Map<string, ObservedPort>([...desired.ports].map(([name, port]) => [name, { ...port, ...seen }]));
  const none = { containers: new Map(), machines: new Map(), macs: new Map(), marks: new Map() };
  return {
    ...none,
    desired,
    ports,
    failures: [],
    memberships: new Map(),
    stopped: new Set(),
    apart: new Map(),
    impairedBy: new Map(),
    ...more,
  };
}

/** The rows as the agent leaves them when it has told what it has found. */
function told(rows: Rows): Rows {
  const { nodes, nics } = reportOf(rows, hostFacts, findings(rows));
  return {
    ...rows,
    nodes: rows.nodes.map((node) => ({
      ...node,
      status: nodes.get(node.uuid) ?? node.status,
      nics: node.nics.map((it) => ({ ...it, status: nics.get(it.uuid) ?? it.status })),
    })),
  };
}

const names = (rows: Rows, more: Partial<Findings> = {}) => {
  const { nodes } = reportOf(rows, hostFacts, findings(rows, more));
  return rows.nodes.filter(({ uuid }) => nodes.has(uuid)).map(({ name }) => name);
};

describe("what the agent tells of nodes", () => {
  test("is told once, and not again while it is so", () => {
    expect(names(lab)).toEqual(["a", "b"]);
    expect(names(told(lab))).toEqual([]);
  });

  const failure = { code: "nic.refused", message: "no", hint: undefined };
  const lies: Readonly<Record<string, (node: NodeEntry) => NodeEntry>> = {
    "another state": (node) => withStatus(node, { state: "pending" }),
    "a failure that is none any more": (node) => withStatus(node, { failure }),
    "a process that it has not": (node) => withStatus(node, { pid: 7 }),
    "another namespace": (node) => withStatus(node, { namespace: "yard_t_c" }),
    "commands that have not been run": (node) => withStatus(node, { commands: "boot/1 hash done" }),
    "a nic that is not up": (node) => withNicStatus(node, { state: "pending" }),
    "a nic's failure that is none any more": (node) => withNicStatus(node, { failure }),
    "another number of a port": (node) => withNicStatus(node, { ofport: 6 }),
    "another port": (node) => withNicStatus(node, { port: "_k_9_9" }),
    "another MAC": (node) => withNicStatus(node, { mac: "02:00:00:00:00:01" }),
    "an impairment": (node) => withNicStatus(node, { impairedBy: "netem" }),
  };
  for (const [what, lie] of Object.entries(lies)) {
    test(`is told again where the rows say ${what}`, () => {
      const rows = told(lab);
      const spoilt = { ...rows, nodes: rows.nodes.map((node) => (node.name === "a" ? lie(node) : node)) };
      expect(names(spoilt)).toEqual(["a"]);
      expect(told(spoilt)).toEqual(rows);
    });
  }

  test("is told where a port has gone, or something failed", () => {
    const rows = told(lab);
    expect(names(rows, { ports: new Map() })).toEqual(["a"]);
    const error = new YardError("nic.refused", "no");
    const { nics } = reportOf(rows, hostFacts, {
      ...findings(rows),
      failures: [{ subject: { kind: "nic", node: "a", nic: "eth0" }, error }],
    });
    expect([...nics.values()].map(({ state }) => state)).toEqual(["failed"]);
  });
});

function withStatus(node: NodeEntry, status: Partial<NodeStatus>): NodeEntry {
  return { ...node, status: { ...node.status, ...status } };
}

function withNicStatus(node: NodeEntry, status: Partial<NicStatus>): NodeEntry {
  return { ...node, nics: node.nics.map((it) => ({ ...it, status: { ...it.status, ...status } })) };
}
