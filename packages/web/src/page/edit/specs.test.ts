import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { furtherOf, KINDS, networkSpec, nodeSpec, TYPES } from "./specs.ts";

interface Part {
  readonly properties: Readonly<Record<string, { readonly enum?: readonly string[]; readonly default?: unknown }>>;
}
interface LabSchema {
  readonly properties: {
    readonly nodes: { readonly additionalProperties: { readonly oneOf: readonly { $ref: string }[] } };
  };
  readonly $defs: Readonly<Record<string, Part>>;
}

const schema: LabSchema = JSON.parse(
  readFileSync(new URL("../../../../../schemas/lab.schema.json", import.meta.url), "utf8"),
);
const answers = (given: Readonly<Record<string, string>>) => (name: string) => given[name] ?? "";

describe("the forms offer", () => {
  test("every kind of node that a lab file can have", () => {
    const kinds = schema.properties.nodes.additionalProperties.oneOf.map(({ $ref }) => $ref.replace("#/$defs/", ""));
    expect(Object.keys(KINDS).toSorted()).toEqual(kinds.toSorted());
  });

  test("every type of network that a lab file can have", () => {
    expect(Object.keys(TYPES).toSorted()).toEqual(schema.$defs.network?.properties.type?.enum?.toSorted() ?? []);
  });

  test("no key that a lab file does not have, and the choices that it has", () => {
    const parts = [
      ...Object.entries(KINDS).map(([kind, { fields }]) => [schema.$defs[kind], fields] as const),
      ...Object.values(TYPES).map(({ fields }) => [schema.$defs.network, fields] as const),
    ];
    for (const [part, fields] of parts)
      for (const { name, ...field } of fields) {
        expect(Object.keys(part?.properties ?? {})).toContain(name);
        if (!("choices" in field) || field.choices === undefined) continue;
        const { enum: known = [], default: usual } = part?.properties[name] ?? {};
        expect([...field.choices].toSorted()).toEqual(known.toSorted());
        expect(field.choices[0]).toBe(String(usual));
      }
  });
});

describe("what a form has been answered is written", () => {
  test("as a lab file has it", () => {
    expect(nodeSpec("a2b", answers({ network: "left", network2: "right" }))).toEqual({
      kind: "a2b",
      nics: ["left", "right"],
    });
    expect(
      nodeSpec("container", answers({ runtime: "oci", image: "busybox", command: "sh -c 'sleep 9'", count: "3" })),
    ).toEqual({ kind: "container", runtime: "oci", image: "busybox", command: "sh -c 'sleep 9'", count: 3 });
    expect(networkSpec("vxlan", answers({ id: "42", peers: "192.0.2.7, 192.0.2.8" }))).toEqual({
      type: "vxlan",
      id: 42,
      peers: ["192.0.2.7", "192.0.2.8"],
    });
  });

  test("without what is so anyway", () => {
    expect(networkSpec("lan", answers({ cidr: "" }))).toEqual({});
    expect(nodeSpec("phy", answers({ parent: "eth1", mode: "absorb" }))).toEqual({ kind: "phy", parent: "eth1" });
  });

  test("with whatever else was written", () => {
    expect(furtherOf("")).toEqual({});
    expect(furtherOf("env: { A: b }\nmemory: 64M")).toEqual({ env: { A: "b" }, memory: "64M" });
    expect(() => furtherOf("- a")).toThrow("write key: value");
    expect(() => furtherOf("a: [")).toThrow();
  });
});
