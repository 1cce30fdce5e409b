import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { withoutSecrets } from "./secrets.ts";

test("what may be secret is hidden from who may only look, and all else stays as it is written", () => {
  const text = `name: office # ours
defaults: { env: { REGION: eu } }
nodes:
  web:
    kind: container
    image: nginx
    env:
      # to the database
      PASSWORD: 'hunter2' # changed in May
      EMPTY:
      LONG: |
        first
        second
    nics: [lan]
  vm: { kind: vm, image: a.qcow2, cloud_init: { user_data: "#cloud-config\\npassword: hunter2", meta_data: { a: b } } }
`;
  expect(withoutSecrets(text)).toBe(`name: office # ours
defaults: { env: { REGION: "(hidden)" } }
nodes:
  web:
    kind: container
    image: nginx
    env:
      # to the database
      PASSWORD: "(hidden)" # changed in May
      EMPTY:
      LONG: "(hidden)"
    nics: [lan]
  vm: { kind: vm, image: a.qcow2, cloud_init: { user_data: "(hidden)", meta_data: { a: b } } }
`);
});

test("a mapping that is given a name is hidden where it stands; a text that uses a name for a value is not shown", () => {
  const shared = "name: a\nnodes:\n  x: { kind: netns, env: &e { A: hunter2 } }\n  y: { kind: netns, env: *e }\n";
  expect(withoutSecrets(shared)).toBe(shared.replace("hunter2", '"(hidden)"'));
  expect(withoutSecrets("name: &v hunter2\nnodes: { x: { kind: netns, env: { A: *v } } }\n")).toBeUndefined();
  expect(withoutSecrets("name: [hunter2\n")).toBeUndefined();
});

test("no value of env is left in a text, however it is written", () => {
  const value = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("a\nb\n", "- x: y", "'\"", "# no", " x ", "|"),
  );
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.stringMatching(/^[A-Z]{1,4}$/),
        value.map((it) => `hunter2${it}hunter2`),
      ),
      fc.constantFrom("PLAIN" as const, "QUOTE_DOUBLE", "BLOCK_LITERAL", "BLOCK_FOLDED", "QUOTE_SINGLE"),
      fc.boolean(),
      (env, defaultStringType, flow) => {
        const text = stringify(
          { name: "a", nodes: { x: { kind: "netns", env }, y: { kind: "netns" } } },
          { defaultStringType, collectionStyle: flow ? "flow" : "block" },
        );
        const shown = withoutSecrets(text);
        expect(shown ?? "").not.toContain("hunter2");
        if (shown === undefined) return;
        const { nodes } = parse(shown);
        expect(Object.keys(nodes.x.env)).toEqual(Object.keys(env));
        expect(nodes.y).toEqual({ kind: "netns" });
      },
    ),
    { numRuns: 500 },
  );
});

test("values are not shown where a key stands twice, or where env is no mapping", () => {
  const twice = "name: a\nnodes:\n  x:\n    kind: netns\n    env: { A: one }\n    env: { A: hunter2 }\n";
  expect(withoutSecrets(twice)).toBeUndefined();
  for (const env of ["hunter2", "[A=hunter2]"])
    expect(withoutSecrets(`name: a\nnodes:\n  x: { kind: netns, env: ${env} }\n`)).not.toContain("hunter2");
});
