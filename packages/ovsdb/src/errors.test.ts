import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { codes } from "./codes.ts";
import * as errors from "./errors.ts";

const words = [
  "constraint violation",
  "referential integrity violation",
  "not owner",
  "I/O error",
  "resources exhausted",
  "domain error",
  "range error",
  "permission error",
  "unknown database",
  "canceled",
  "timed out",
  "something new",
];

describe("errors", () => {
  test("have each a code of their own, and each code is documented", () => {
    const found = Object.values(errors)
      .filter((value) => typeof value === "function" && value.prototype instanceof errors.OvsdbError)
      .map((kind) => {
        const error: errors.OvsdbError = Reflect.construct(kind, ["a", "b", "c"]);
        assert.equal(error.name, kind.name);
        assert.ok(error instanceof errors.OvsdbError && error instanceof Error);
        return error.code;
      });
    assert.deepEqual(found.sort(), Object.keys(codes).sort());
  });

  test("of the server become their own class", () => {
    const classes = new Set(words.map((word) => errors.transactionError(word, word).name));
    // "domain error" and "range error" are both the arithmetic's.
    assert.equal(classes.size, words.length - 1);
  });
});
