import { type Ip, parseIp, YardError } from "@switchyard/base";
import { readCommand } from "./commands.ts";
import type { Nodes } from "./nodes.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { CheckFile } from "./schema.ts";
import type { CheckSpec } from "./types.ts";

/** Milliseconds that a check may take where the file does not say. */
const TIMEOUT = 5000;

/** Reads `checks`. */
export function readChecks(nodes: Nodes, reading: Reading): CheckSpec[] {
  return (reading.data.checks ?? []).flatMap((file, index) => {
    const path = ["checks", index];
    if (reading.unsure(path)) return [];
    const given = [file.ping, file.tcp, file.exec].filter((one) => one !== undefined);
    if (given.length !== 1) {
      reading.places.report(
        path,
        () =>
          new YardError("check.not-one", given.length === 0 ? "a check says what to try" : "a check tries one thing", {
            hint: "give it one of ping, tcp and exec",
          }),
      );
      return [];
    }
    const check = readCheck(file, path, nodes, reading);
    if (check === undefined) return [];
    const expect = file.expect ?? "pass";
    const timeout = file.timeout === undefined ? TIMEOUT : Math.ceil(file.timeout * 1000);
    return [
      { ...check, expect, name: file.name ?? (expect === "pass" ? title(check) : `${title(check)} fails`), timeout },
    ];
  });
}

type Trial =
  | { type: "ping"; from: string; to: string }
  | { type: "tcp"; from: string; to: string; port: number }
  | { type: "exec"; node: string; command: readonly string[] };

function readCheck(file: CheckFile, path: Path, nodes: Nodes, reading: Reading): Trial | undefined {
  const known = (name: string, at: Path) =>
    nodes.find(
      name,
      at,
      (message, hint) => new YardError("check.node-unknown", message, hint === undefined ? {} : { hint }),
    ) !== undefined;
  const pair = (ends: { from: string; to: string }, at: Path) => {
    const from = known(ends.from, [...at, "from"]);
    const ip = addressIn(ends.to);
    const to = ip !== undefined || known(ends.to, [...at, "to"]);
    return from && to ? { from: ends.from, to: ip ?? ends.to } : undefined;
  };
  if (file.ping !== undefined) {
    const ends = pair(file.ping, [...path, "ping"]);
    return ends && { type: "ping", ...ends };
  }
  if (file.tcp !== undefined) {
    const ends = pair(file.tcp, [...path, "tcp"]);
    return ends && { type: "tcp", ...ends, port: file.tcp.port };
  }
  if (file.exec === undefined) return undefined;
  const there = known(file.exec.node, [...path, "exec", "node"]);
  const command = readCommand(file.exec.command, [...path, "exec", "command"], reading);
  return there && command ? { type: "exec", node: file.exec.node, command } : undefined;
}

function addressIn(text: string): Ip | undefined {
  try {
    return parseIp(text);
  } catch {
    return undefined;
  }
}

function title(check: Trial): string {
  switch (check.type) {
    case "ping":
      return `ping ${check.from} → ${check.to}`;
    case "tcp":
      return `tcp ${check.from} → ${check.to.includes(":") ? `[${check.to}]` : check.to}:${check.port}`;
    case "exec":
      return `exec ${check.node}: ${check.command.join(" ")}`;
  }
}
