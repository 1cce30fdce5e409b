import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { Framer } from "./framer.ts";
import { type Json, parseJson, stringifyJson } from "./json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const json = fc.letrec<{ value: Json; int64: bigint | number }>((tie) => ({
  int64: fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    tie("int64"),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ) as fc.Arbitrary<Json>,
}));
const message = fc.dictionary(fc.string({ unit: "grapheme" }), json.value);

/** Doubles of 2^53 and more are written without a point, and the exact reader takes that for an integer. */
const exact = (value: Json): Json =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21
    ? BigInt(String(value))
    : Array.isArray(value)
      ? value.map(exact)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exact(member)]))
        : value;

function cut(data: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((place) => place % (data.length + 1)), data.length])].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((end, i) => data.slice(places[i], end));
}

describe("the framer", () => {
  test("finds the same messages wherever the bytes are split, in the middle of a character too", () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat()),
        fc.constantFrom("", " ", "\r\n\t"),
        (messages, cuts, gap) => {
          const framer = new Framer();
          const found: Json[] = [];
          for (const chunk of cut(bytes(messages.map(stringifyJson).join(gap) + gap), cuts))
            found.push(...framer.push(chunk));
          assert.deepEqual(found, messages.map(exact));
          assert.equal(framer.buffered, 0);
        },
      ),
    );
  });

  test("keeps 64-bit integers exact and leaves digits in strings alone", () => {
    const framer = new Framer();
    const text =
      '{"a":[9223372036854775807,-9223372036854775808,1234567890123456,0.1000000000000000055],"b":"9223372036854775807"}';
    for (const chunk of cut(bytes(text), [8, 20, 21, 40])) {
      for (const found of framer.push(chunk))
        assert.deepEqual(found, {
          a: [9223372036854775807n, -9223372036854775808n, 1234567890123456, 0.1],
          b: "9223372036854775807",
        });
    }
  });

  test("meets arbitrary bytes with messages or a ProtocolError, never with anything else", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      message.map((value) => bytes(stringifyJson(value))),
      fc
        .constantFrom("{", "}", "[", "]", '"', "\\", '{"', "{}", "{]", '{"a":1e400}', '{"a":01}', "\ufeff{}")
        .map(bytes),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const framer = new Framer();
        try {
          for (const chunk of pieces) for (const found of framer.push(chunk)) assert.equal(typeof found, "object");
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("refuses what cannot be JSON-RPC as soon as it is seen", () => {
    const refused = (text: string | Uint8Array, limit?: number) =>
      assert.throws(() => [...new Framer(limit).push(typeof text === "string" ? bytes(text) : text)], ProtocolError);
    refused("GET / HTTP/1.1");
    refused("[1]");
    refused('{"a":]}');
    refused('{"a":1}}');
    refused(`{"a":${"[".repeat(2_000)}`);
    refused(new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]));
    refused(`{"a":"${"x".repeat(200)}"}`, 100);
    refused(`{"a":"${"x".repeat(200)}`, 100);
  });

  test("looks at each byte once: a message in single bytes costs no more than its length", () => {
    const work = (length: number) => {
      const framer = new Framer();
      const data = bytes(`{"a":"${"x".repeat(length)}"}`);
      const began = performance.now();
      for (let at = 0; at < data.length; at += 16) for (const _ of framer.push(data.subarray(at, at + 16)));
      return performance.now() - began;
    };
    work(100_000);
    const small = Math.min(work(100_000), work(100_000));
    // Sixteen times the bytes: quadratic work would take 256 times as long.
    assert.ok(work(1_600_000) < 100 * Math.max(small, 1));
  });
});

describe("the exact reader", () => {
  test("reads what JSON.parse reads, and refuses what it refuses", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map((text) => text.slice(1)),
        ),
        (text) => {
          let expected: unknown;
          let fails = false;
          try {
            expected = JSON.parse(text);
          } catch {
            fails = true;
          }
          if (fails) assert.throws(() => parseJson(text, true), ProtocolError);
          else assert.deepEqual(parseJson(text, true), exact(expected as Json));
        },
      ),
    );
  });
});
