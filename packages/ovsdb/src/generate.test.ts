import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { generateTypes } from "./generate.ts";

describe("generated types", () => {
  test("say what each column can hold", () => {
    const text = generateTypes(
      JSON.stringify({
        name: "My_db",
        version: "1.2.3",
        tables: {
          Some_Table: {
            columns: {
              any: { type: "integer" },
              tag: { type: { key: { type: "integer", minInteger: 0, maxInteger: 4095 }, min: 0, max: 1 } },
              mode: { type: { key: { type: "string", enum: ["set", ["a", "b"]] } } },
              refs: { type: { key: { type: "uuid", refTable: "Some_Table", refType: "weak" }, min: 0, max: 3 } },
              map: { type: { key: "string", value: "real", min: 0, max: "unlimited" } },
              fixed: { type: "string", mutable: false },
            },
          },
        },
      }),
      "my.ovsschema",
    );
    for (const line of [
      "// Generated from my.ovsschema (My_db 1.2.3)",
      "export interface SomeTableRow {",
      "  readonly _uuid: Uuid;",
      "  readonly any: Integer;",
      "  /** 0…4095 */\n  readonly tag: number | undefined;",
      '  readonly mode: "a" | "b";',
      "  /** weakly refers to Some_Table; at most 3 */\n  readonly refs: ReadonlySet<Uuid>;",
      "  readonly map: ReadonlyMap<string, number>;",
      "  /** fixed at insert */\n  readonly fixed: string;",
      "export interface MyDbTables {\n  Some_Table: SomeTableRow;\n}",
      "export const schema: Schema<MyDbTables> = defineSchema({",
    ])
      assert.ok(text.includes(line), `${line}\nis missing in\n${text}`);
  });
});
