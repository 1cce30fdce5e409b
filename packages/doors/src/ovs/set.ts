import { YardError } from "@switchyard/base";
import type { Uuid, Value } from "@switchyard/ovsdb";
import { bestDatapath, commitEdit, OWNER, PURPOSE, type SwitchEdit } from "@switchyard/vswitch";
import { z } from "zod";
import { name, ovsCommand, settings } from "./command.ts";
import { editOptions, type OvsContext } from "./context.ts";
import { checkType } from "./explain.ts";
import { settled } from "./ports.ts";
import { type AnyRows, anyTables, recordOf, tableOf, transactionRows } from "./rows.ts";
import { type Assignment, assignments } from "./values.ts";

/** `set`: columns of a row of any table. */
export const set = ovsCommand({
  name: "set",
  summary: "set columns of a row of any table",
  schema: z.object({
    table: name.describe("Interface, Port, Bridge, …"),
    record: name.describe("the row: its name, its UUID, or . for the only one"),
    options: settings.optional().describe("column or column:key, and the value"),
    values: settings.optional().describe("the same, as the program spells it"),
  }),
  async run(context, { table: tableWord, record, options, values }) {
    const entries = { ...options, ...values };
    if (Object.keys(entries).length === 0)
      throw new YardError("ovs.bad-argument", "set: there are no values to set", {
        hint: 'give them as options: {"type": "patch", "options:peer": "x"}',
      });
    const table = tableOf(tableWord);
    if (table.name === "Interface") checkType(context, entries.type);
    if (table.name === "Bridge" && entries.datapath_type !== undefined)
      await checkDatapath(context, String(entries.datapath_type));
    await settled(context, () =>
      commitEdit(
        context.db,
        (edit) => {
          const source = transactionRows(edit.tx);
          const row = recordOf(source, table, record);
          const list = assignments(table, entries, source);
          refuseMarks(list);
          for (const one of list) write(edit, table.name, row, one);
          watch(edit, table.name, row._uuid);
        },
        editOptions(context),
      ),
    );
    return null;
  },
});

/** A bridge that loses its datapath keeps its ports' old numbers in the database, as if they worked. */
async function checkDatapath(context: OvsContext, type: string): Promise<void> {
  const known = context.db.table("Open_vSwitch").single()?.datapath_types ?? new Set<string>();
  const works =
    type === "" || type === "system"
      ? (await bestDatapath(context.db, editOptions(context))) === "system"
      : known.size === 0 || known.has(type);
  if (works) return;
  throw new YardError("switch.bridge-failed", `the switch has no datapath ${JSON.stringify(type)} here`, {
    hint: "netdev, in the process of the switch, is always there; system needs the kernel module openvswitch",
  });
}

function refuseMarks(list: readonly Assignment[]): void {
  for (const one of list) {
    const keys = "key" in one ? [one.key] : one.value instanceof Map ? [...one.value.keys()] : [];
    if (one.column.name === "external_ids" && keys.some((key) => key === OWNER || key === PURPOSE))
      throw new YardError("ovs.mark", `external_ids:${OWNER} and ${PURPOSE} are not set by hand`);
  }
}

function write(edit: SwitchEdit, table: string, row: AnyRows[string], one: Assignment): void {
  const tx = anyTables(edit.tx);
  const column = one.column.name;
  const old = row[column];
  const { _uuid: uuid } = row;
  if ("key" in one) {
    const before = old instanceof Map ? old.get(one.key) : undefined;
    if (before === one.value) return;
    tx.mutate(table, uuid, { [column]: { set: new Map([[one.key, one.value]]) } });
    edit.wrote((undo) => {
      const any = anyTables(undo);
      if (any.get(table, uuid) === undefined) return;
      if (before === undefined) any.mutate(table, uuid, { [column]: { delete: [one.key] } });
      else any.mutate(table, uuid, { [column]: { set: new Map([[one.key, before]]) } });
    });
    return;
  }
  // Whose a row is stays told, whatever else its external_ids become.
  const value = column === "external_ids" ? withMarks(one.value, old) : one.value;
  tx.update(table, uuid, { [column]: value });
  edit.wrote((undo) => {
    const any = anyTables(undo);
    if (any.get(table, uuid) !== undefined) any.update(table, uuid, { [column]: copied(old) });
  });
}

function withMarks(value: Value, old: Value): Value {
  if (!(value instanceof Map) || !(old instanceof Map)) return value;
  const marks = [OWNER, PURPOSE].flatMap((key) => (old.has(key) ? [[key, old.get(key) ?? ""] as const] : []));
  return new Map([...value, ...marks]);
}

function copied(value: Value): Value {
  if (value instanceof Set) return new Set(value);
  return value instanceof Map ? new Map(value) : value;
}

/** The interfaces that must still work, or begin to, with what was set. */
function watch(edit: SwitchEdit, table: string, uuid: Uuid): void {
  const ofPort = (port: Uuid) => {
    const row = edit.tx.get("Port", port);
    for (const link of row === undefined ? [] : edit.interfacesOf(row)) edit.watched.add(link.name);
  };
  switch (table) {
    case "Interface": {
      const link = edit.tx.get("Interface", uuid);
      if (link !== undefined) edit.watched.add(link.name);
      return;
    }
    case "Port":
      ofPort(uuid);
      return;
    case "Bridge":
      // Also when it gets another datapath, on which not all of its ports may be possible.
      for (const port of edit.tx.get("Bridge", uuid)?.ports ?? []) ofPort(port);
  }
}
