import { YardError } from "@switchyard/base";
import type { ColumnSchema, TableSchema, Value } from "@switchyard/ovsdb";
import { OWNER, PURPOSE } from "@switchyard/vswitch";
import { z } from "zod";
import { name, ovsCommand, settings, words } from "./command.ts";
import { type AnyRows, columnOf, recordOf, replicaRows, tableOf } from "./rows.ts";
import { assignments, rowJson, toJson, type Written } from "./values.ts";

/** `list` */
export const list = ovsCommand({
  name: "list",
  summary: "list bridges, or the rows of a table",
  reads: true,
  schema: z.object({
    table: z.string().optional().describe("the table; without it the names of the bridges are listed"),
    record: words.optional().describe("only these rows"),
    columns: words.optional().describe("only these columns"),
  }),
  async run({ db }, { table: word, record, columns }) {
    const source = replicaRows(db);
    if (word === undefined || word === "") return [...db.table("Bridge")].map((row) => row.name).sort();
    const table = tableOf(word);
    const rows = record?.length ? record.map((one) => recordOf(source, table, one)) : [...source.all(table.name)];
    return rows.map((row) => rowJson(row, chosen(table, columns)));
  },
});

/** `get` */
export const get = ovsCommand({
  name: "get",
  summary: "print values of a row",
  reads: true,
  schema: z.object({
    table: name.describe("the table"),
    record: name.describe("the row: its name, its UUID, or . for the only one"),
    columns: words.describe("column, or column:key of a map"),
  }),
  async run({ db }, { table: word, record, columns }) {
    const table = tableOf(word);
    const row = recordOf(replicaRows(db), table, record);
    const values = columns.map((column) => shownValue(table, row, column));
    return columns.length === 1 ? values[0] : values;
  },
});

/** `find` */
export const find = ovsCommand({
  name: "find",
  summary: "find rows by their values",
  reads: true,
  schema: z.object({
    table: name.describe("the table"),
    where: z
      .union([words, settings])
      .optional()
      .describe("conditions: column[:key] = != < > <= >= value, or an object of column and value"),
    columns: words.optional().describe("only these columns"),
  }),
  async run({ db }, { table: word, where = [], columns }) {
    const table = tableOf(word);
    const source = replicaRows(db);
    const tests = Array.isArray(where)
      ? where.map((text) => condition(table, text, source))
      : Object.entries(where).map(([key, value]) => compare(table, key, "=", value, source));
    const rows = [...source.all(table.name)].filter((row) => tests.every((test) => test(row)));
    return rows.map((row) => rowJson(row, chosen(table, columns)));
  },
});

/** `show` */
export const show = ovsCommand({
  name: "show",
  summary: "show bridges, ports and interfaces as a tree",
  reads: true,
  schema: z.object({ bridge: z.string().optional().describe("only this one") }),
  async run({ db }, { bridge }) {
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    const bridges = [...db.table("Bridge")].filter((row) => bridge === undefined || row.name === bridge);
    if (bridge !== undefined && bridges.length === 0)
      throw new YardError("switch.no-bridge", `there is no bridge named ${bridge}`, { hint: "yard ovs list" });
    const root = db.table("Open_vSwitch").single();
    return {
      ovs_version: root?.ovs_version ?? null,
      bridges: bridges.toSorted(byName).map((row) => ({
        name: row.name,
        datapath: row.datapath_type || "system",
        ...markOf(row.external_ids),
        ports: [...row.ports]
          .flatMap((uuid) => db.table("Port").get(uuid) ?? [])
          .toSorted(byName)
          .map((port) => ({
            name: port.name,
            ...(port.tag === undefined ? {} : { tag: port.tag }),
            ...(port.trunks.size === 0 ? {} : { trunks: [...port.trunks].sort((a, b) => a - b) }),
            ...(port.bond_mode === undefined ? {} : { bond_mode: port.bond_mode }),
            ...(port.protected ? { protected: true } : {}),
            ...markOf(port.external_ids),
            interfaces: [...port.interfaces]
              .flatMap((uuid) => db.table("Interface").get(uuid) ?? [])
              .toSorted(byName)
              .map((link) => ({
                name: link.name,
                type: link.type === "system" ? "" : link.type,
                ...(link.options.size === 0 ? {} : { options: Object.fromEntries(link.options) }),
                ofport: link.ofport === undefined ? null : Number(link.ofport),
                ...(link.error === undefined ? {} : { error: link.error }),
              })),
          })),
      })),
    };
  },
});

function markOf(ids: ReadonlyMap<string, string>): { owner?: string; purpose?: string } {
  const [owner, purpose] = [ids.get(OWNER), ids.get(PURPOSE)];
  return { ...(owner === undefined ? {} : { owner }), ...(purpose === undefined ? {} : { purpose }) };
}

function chosen(table: TableSchema, columns: readonly string[] | undefined): string[] | undefined {
  if (columns === undefined || columns.length === 0) return undefined;
  return columns
    .flatMap((word) => word.split(","))
    .map((word) => (word === "_uuid" ? word : columnOf(table, word).name));
}

function shownValue(table: TableSchema, row: AnyRows[string], word: string): Written {
  if (word === "_uuid") return row._uuid;
  const colon = word.indexOf(":");
  if (colon < 0) return toJson(row[columnOf(table, word).name]);
  const { column, key } = keyOf(table, word, colon);
  const map = row[column.name];
  const value = map instanceof Map ? map.get(key) : undefined;
  if (value === undefined)
    throw new YardError(
      "ovs.no-record",
      `${table.name}.${column.name} of ${String(row.name ?? row._uuid)} has no key ${key}`,
      {
        hint: `it has ${map instanceof Map && map.size > 0 ? [...map.keys()].join(", ") : "none"}`,
      },
    );
  return toJson(value);
}

function keyOf(table: TableSchema, word: string, colon: number): { column: ColumnSchema; key: string | number } {
  const column = columnOf(table, word.slice(0, colon));
  if (column.value === undefined)
    throw new YardError("ovs.no-column", `${table.name}.${column.name} holds no keys, so ${word} is none of them`);
  const text = word.slice(colon + 1);
  return { column, key: column.key.type === "integer" ? Number(text) : text };
}

type Test = (row: AnyRows[string]) => boolean;
const operators = ["!=", "<=", ">=", "=", "<", ">"] as const;
type Operator = (typeof operators)[number];

/** @throws YardError `ovs.bad-argument`, and as {@link assignments} */
function condition(table: TableSchema, text: string, source: ReturnType<typeof replicaRows>): Test {
  const [, key, operator, value] = /^([\w-]+(?::[^=!<>]+)?)(!=|<=|>=|=|<|>)(.*)$/s.exec(text) ?? [];
  const known = operators.find((one) => one === operator);
  if (key === undefined || known === undefined || value === undefined)
    throw new YardError("ovs.bad-argument", `find: ${JSON.stringify(text)} is no condition`, {
      hint: "a condition is column=value or column:key=value, with = != < > <= or >=",
    });
  return compare(table, key, known, value, source);
}

function compare(
  table: TableSchema,
  key: string,
  operator: Operator,
  written: Written,
  source: ReturnType<typeof replicaRows>,
): Test {
  if (key === "_uuid") return (row) => (row._uuid === written) === (operator === "=");
  const [one] = assignments(table, { [key]: written }, source);
  if (one === undefined) return () => true;
  const { column } = one;
  return (row) => {
    const held = row[column.name];
    const value: Value = "key" in one ? (held instanceof Map ? held.get(one.key) : undefined) : held;
    switch (operator) {
      case "=":
        return equal(value, one.value);
      case "!=":
        return !equal(value, one.value);
      default:
        return value !== undefined && ordered(operator, value, one.value);
    }
  };
}

function ordered(operator: "<" | "<=" | ">" | ">=", a: Value, b: Value): boolean {
  const number = (value: Value) => (typeof value === "number" || typeof value === "bigint" ? value : undefined);
  const [left, right] = [number(a), number(b)];
  if (left === undefined || right === undefined) return false;
  switch (operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

function equal(a: Value, b: Value): boolean {
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((item) => b.has(item));
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
  return a === b;
}
