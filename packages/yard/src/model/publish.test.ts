import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { Glob } from "bun";
import { parse } from "yaml";
import { z } from "zod";
import { initialLab } from "./init.ts";
import { labJsonSchema } from "./json-schema.ts";
import { parseLab } from "./parse.ts";
import { published } from "./publish.ts";

const root = resolve(import.meta.dir, "../../../..");
const source = { file: "", environment: {} };

test("the published schema and reference are those of the schema in the code", async () => {
  for (const [file, text] of await published()) expect(await Bun.file(file).text()).toBe(text);
});

test("every key of the published schema has a description", () => {
  const bare: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    if ("properties" in schema && typeof schema.properties === "object" && schema.properties !== null)
      for (const [key, field] of Object.entries(schema.properties))
        if (!("description" in field) && !("$ref" in field)) bare.push(`${path}/${key}`);
    for (const [key, part] of Object.entries(schema)) visit(part, `${path}/${key}`);
  };
  visit(labJsonSchema(), "");
  expect(bare).toEqual([]);
});

test("the examples are valid labs, and what they mount is there", async () => {
  let seen = 0;
  for await (const file of new Glob("*.yard.yaml").scan({ cwd: resolve(root, "examples"), absolute: true })) {
    // What `make guest` makes may not be there, and need not be for a lab to be right.
    const text = (await Bun.file(file).text()).replaceAll(/\.\/guest\/\S+/g, "./www/index.html");
    const { lab } = parseLab(text, { file, environment: {} });
    for (const node of lab.nodes)
      if (node.kind === "container")
        for (const bind of node.binds) expect(await Bun.file(`${bind.split(":")[0]}/index.html`).exists()).toBe(true);
    seen++;
  }
  expect(seen).toBeGreaterThan(0);
});

test("hello has six nodes of both kinds on three networks, a wire, a published port and checks of both outcomes", async () => {
  const file = resolve(root, "examples/hello.yard.yaml");
  const { lab } = parseLab(await Bun.file(file).text(), { file, environment: {} });
  expect(lab.nodes).toHaveLength(6);
  expect(new Set(lab.nodes.map(({ kind }) => kind))).toEqual(new Set(["netns", "container"]));
  expect(lab.networks).toHaveLength(3);
  expect(lab.links).toHaveLength(1);
  expect(lab.nodes.flatMap(({ ports }) => ports)).toHaveLength(1);
  expect(new Set(lab.checks.map((check) => check.expect))).toEqual(new Set(["pass", "fail"]));
});

test("an editor that follows the published schema takes the examples, and marks a mistyped key", async () => {
  const file = await Bun.file(resolve(root, "schemas/lab.schema.json")).json();
  // This validator takes a branch that only requires a key as one that takes anything.
  delete file.$defs.check.oneOf;
  const schema = z.fromJSONSchema(file);
  const hello = await Bun.file(resolve(root, "examples/hello.yard.yaml")).text();
  for (const text of [hello, initialLab("mine")]) expect(schema.safeParse(parse(text)).success).toBe(true);
  for (const [from, to] of [
    ["command:", "comand:"],
    ["kind: netns", "kind: nets"],
    ["slot: 20", "slot: twenty"],
    ["ping: {", "pong: {"],
  ] as const)
    expect(schema.safeParse(parse(hello.replace(from, to))).success).toBe(false);
});

test("every lab shown in the documentation is valid", async () => {
  for (const [page, least] of [
    ["lab-file.md", 6],
    ["networks.md", 3],
  ] as const) {
    const text = await Bun.file(resolve(root, "docs", page)).text();
    const labs = [...text.matchAll(/```yaml\n(name:[\s\S]*?)```/g)].map(([, lab]) => lab ?? "");
    expect(labs.length).toBeGreaterThanOrEqual(least);
    for (const lab of labs) parseLab(lab, source);
  }
});
