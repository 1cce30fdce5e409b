import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { placeAt, type Schema, suggest } from "./completion.ts";

const schema: Schema = JSON.parse(
  readFileSync(new URL("../../../../../schemas/lab.schema.json", import.meta.url), "utf8"),
);

/** What is suggested where a `|` stands. */
function suggested(marked: string): string[] {
  const at = marked.indexOf("|");
  const text = marked.replace("|", "");
  const place = placeAt(text, at);
  return suggest(schema, place, text)
    .map(({ text }) => text)
    .filter((word) => word.startsWith(place.prefix));
}

describe("the editor suggests", () => {
  test("the file's own keys", () => {
    expect(suggested("na|")).toEqual(["name"]);
    expect(suggested("name: x\n|")).toContain("networks");
  });

  test("a network's keys and types", () => {
    expect(suggested("networks:\n  office:\n    gat|")).toEqual(["gateway"]);
    expect(suggested("networks:\n  office:\n    type: vl|")).toEqual(["vlan"]);
    expect(suggested("networks:\n  office: { cidr: 10.1.0.0/24, gat|")).toEqual(["gateway"]);
  });

  test("kinds of nodes and the keys that they have", () => {
    expect(suggested("nodes:\n  web:\n    kind: con|")).toEqual(["container"]);
    expect(suggested("nodes:\n  web:\n    kind: container\n    ima|")).toEqual(["image"]);
    expect(suggested("nodes:\n  web: { kind: netns, sys|")).toEqual(["sysctls"]);
  });

  test("a nic's keys, however its list is indented", () => {
    expect(suggested("nodes:\n  web:\n    nics:\n      - network: a\n        trun|")).toEqual(["trunks"]);
    expect(suggested("nodes:\n  web:\n    nics:\n      - trun|")).toEqual(["trunks"]);
    expect(suggested("nodes:\n  web:\n    nics:\n    - network: a\n    - trun|")).toEqual(["trunks"]);
    expect(suggested("nodes:\n  web:\n    nics: [{ network: a, trun|")).toEqual(["trunks"]);
    expect(suggested("nodes:\n  web:\n    nics:\n      - { network: a, spy: t|")).toEqual(["true"]);
  });

  test("the networks that the file declares", () => {
    expect(suggested("networks:\n  office: {}\n  cellar: {}\nnodes:\n  web:\n    nics:\n      - network: |")).toEqual([
      "office",
      "cellar",
    ]);
  });

  test("nothing where the schema knows nothing", () => {
    expect(suggested("nowhere:\n  a:\n    |")).toEqual([]);
  });
});
