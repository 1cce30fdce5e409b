import { expect, test } from "bun:test";
import { describeApi } from "./openapi.ts";
import { operations } from "./operations/mod.ts";
import { router } from "./router.ts";

const description = JSON.stringify(describeApi(operations, "1"));

test("the description refers to nothing that it does not have", () => {
  const { components } = describeApi(operations, "1");
  const schemas: object = Reflect.get(Object(components), "schemas");
  const wanted = [...description.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? "");
  expect(wanted.length).toBeGreaterThan(50);
  expect([...new Set(wanted)].filter((name) => !(name in schemas))).toEqual([]);
  expect(description).not.toContain("$defs");
});

test("a node is described as the lab file has it", () => {
  expect(description).toContain('"spec":{"$ref":"#/components/schemas/LabNode"}');
});

test("operations have ids of their own, and paths that lead to them", () => {
  const ids = operations.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const route = router(operations);
  for (const operation of operations) {
    const path = `/api/v1${operation.path.replaceAll(/\{\w+\}/g, "a%2Fb")}`;
    const found = route(operation.method, path, operation.kind === "socket");
    expect(found.operation.id).toBe(operation.id);
    expect(Object.values(found.params).every((value) => value === "a/b")).toBe(true);
  }
});

test("what changes or enters something needs the role operate", () => {
  const asking = new Set(["parseLab", "traceFlow", "traceNic", "beginSession", "endSession"]);
  const wrong = operations.filter(({ id, method, role }) => method !== "GET" && role === "read" && !asking.has(id));
  expect(wrong.map(({ id }) => id)).toEqual([]);
  const entered = operations.filter(({ kind }) => kind === "socket");
  expect(entered.every(({ role }) => role === "operate")).toBe(true);
});

test("a path that there is not, and a method that it has not, are told apart", () => {
  const route = router(operations);
  const refused = (code: string) => expect.objectContaining({ code });
  expect(() => route("GET", "/api/v1/nodes/", false)).toThrow(refused("http.not-found"));
  expect(() => route("GET", "/api/v2/nodes", false)).toThrow(refused("http.not-found"));
  expect(() => route("PUT", "/api/v1/nodes", false)).toThrow(refused("http.method-not-allowed"));
  expect(() => route("GET", "/api/v1/nodes/web/exec", false)).toThrow(refused("http.upgrade-wanted"));
});
