import { expect, test } from "bun:test";
import { YardError, YardErrors } from "@switchyard/base";
import { z } from "zod";
import { problem, problemOf, statusOf } from "./problem.ts";

test("a problem tells what the error tells, under its code", () => {
  const told = problemOf(new YardError("node.unknown", "no node x", { hint: "did you mean y?", where: "here" }));
  expect(told).toEqual({
    type: "urn:switchyard:error:node.unknown",
    title: "node unknown",
    status: 404,
    detail: "no node x",
    code: "node.unknown",
    hint: "did you mean y?",
    where: "here",
  });
  expect(problem.parse(told)).toEqual(told);
});

test("several errors are told each", () => {
  const told = problemOf(
    new YardErrors([new YardError("a.b", "one"), new YardError("c.d", "two", { where: "f:1:2" })]),
  );
  expect(told.errors).toEqual([
    { code: "a.b", message: "one" },
    { code: "c.d", message: "two", where: "f:1:2" },
  ]);
});

test("a body that is wrong is told with every place", () => {
  const { error } = z.object({ name: z.string(), on: z.boolean() }).safeParse({ name: 1 });
  const told = problemOf(error);
  expect([told.status, told.code, told.errors?.map(({ where }) => where)]).toEqual([
    400,
    "http.bad-body",
    ["name", "on"],
  ]);
});

test("a status says whose fault it is", () => {
  const statuses = ["nic.unknown", "node.name-taken", "lab.bad-yaml", "agent.died", "internal.unexpected", "yard.busy"];
  expect(statuses.map(statusOf)).toEqual([404, 409, 422, 503, 500, 409]);
});
