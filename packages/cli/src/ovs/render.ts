/** What the reading `ovs` commands answer, for people. The answers are JSON, whose shapes are looked at here once. */

import type { Style } from "../render/style.ts";
import { pairs } from "../render/table.ts";

type Json = Readonly<Record<string, unknown>>;

/** @returns lines; none for an answer that says nothing */
export function renderAnswer(command: string, answer: unknown, style: Style): string[] {
  if (answer === null || answer === "" || answer === undefined) return [];
  if (command === "show" && isObject(answer)) return renderShow(answer, style);
  if (!Array.isArray(answer)) return [shown(answer)];
  return answer.flatMap((item: unknown, at) =>
    isObject(item) && command !== "get" ? [...(at > 0 ? [""] : []), ...renderRow(item, style)] : [shown(item)],
  );
}

function renderRow(row: Json, style: Style): string[] {
  return pairs(
    Object.entries(row).map(([name, value]) => [name, shown(value)] as const),
    style,
  );
}

/** Text as it is, lists and objects as JSON. */
function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || (Array.isArray(value) && value.length === 0)) return "[]";
  return JSON.stringify(value);
}

function renderShow(answer: Json, style: Style): string[] {
  const lines = [style.dim(`Open vSwitch ${text(answer.ovs_version)}`.trimEnd())];
  for (const bridge of objects(answer.bridges)) {
    lines.push(`${style.bold(text(bridge.name))} ${style.dim(`bridge, ${text(bridge.datapath)}${owner(bridge)}`)}`);
    for (const port of objects(bridge.ports)) lines.push(...renderPort(port, style));
  }
  return lines;
}

function renderPort(port: Json, style: Style): string[] {
  const links = objects(port.interfaces);
  const [only, ...others] = links;
  const alone = others.length === 0 && only !== undefined && only.name === port.name ? only : undefined;
  const facts = [
    ...(port.tag === undefined ? [] : [`tag ${shown(port.tag)}`]),
    ...(port.trunks === undefined ? [] : [`trunks ${shown(port.trunks)}`]),
    ...(port.bond_mode === undefined ? [] : [shown(port.bond_mode)]),
    ...(port.protected === true ? ["protected"] : []),
    ...(alone === undefined ? [] : linkFacts(alone)),
  ];
  const line = `  ${text(port.name)} ${style.dim(`${facts.join(", ")}${owner(port)}`)}`.trimEnd();
  return [
    line,
    ...(alone === undefined
      ? links.flatMap((link) => [
          `    ${text(link.name)} ${style.dim(linkFacts(link).join(", "))}`,
          ...failure(link, style),
        ])
      : failure(alone, style)),
  ];
}

function linkFacts(link: Json): string[] {
  const options = isObject(link.options) ? Object.entries(link.options) : [];
  return [
    text(link.type) || "device",
    ...options.map(([key, value]) => `${key}=${shown(value)}`),
    ...(link.ofport === null ? [] : [`port ${shown(link.ofport)}`]),
  ];
}

function failure(link: Json, style: Style): string[] {
  return link.error === undefined ? [] : [`    ${style.red(`error: ${text(link.error)}`)}`];
}

function owner(row: Json): string {
  if (row.owner === undefined) return "";
  return `; ${text(row.owner)}${row.purpose === undefined ? "" : `: ${text(row.purpose)}`}`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
