import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import fc from "fast-check";
import { encode, NO_ARRAY } from "./reply.ts";
import { type RequestLimits, RequestReader, TRUSTED } from "./request.ts";

function read(chunks: readonly Buffer[], limits: RequestLimits = TRUSTED): string[][] {
  const reader = new RequestReader();
  reader.limits = limits;
  const requests: string[][] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next())
      requests.push(next.map((argument) => argument.toString("utf8")));
  }
  return requests;
}

function written(requests: readonly (readonly string[])[]): Buffer {
  return Buffer.concat(requests.map((request) => encode([...request])));
}

describe("a client's requests", () => {
  test("are read whole, however the network has cut them", () => {
    const requests = fc.array(fc.array(fc.string({ unit: "binary", maxLength: 40 }), { minLength: 1, maxLength: 5 }));
    fc.assert(
      fc.property(requests, fc.array(fc.nat({ max: 60 })), (sent, cuts) => {
        const bytes = written(sent);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        chunks.push(bytes.subarray(at));
        expect(read(chunks)).toEqual(sent.map((request) => [...request]));
      }),
    );
  });

  test("may be typed by hand, a line each", () => {
    expect(read([Buffer.from("PING\r\n\r\n llen  core:default \nPI"), Buffer.from("NG\n")])).toEqual([
      ["PING"],
      ["llen", "core:default"],
      ["PING"],
    ]);
  });

  test.each([
    ["an argument that is too long", "*1\r\n$11\r\nhello world\r\n"],
    ["arguments that are too long together", "*3\r\n$9\r\n123456789\r\n$9\r\n123456789\r\n$9\r\n123456789\r\n"],
    ["too many arguments", "*5\r\n"],
    ["a negative length", "*1\r\n$-1\r\n"],
    ["a length that is none", "*x\r\n"],
    ["an argument that does not end where it should", "*1\r\n$2\r\nabc\r\n"],
    ["an argument that is none", "*1\r\n:5\r\n"],
    ["a line without an end", "x".repeat(5_000)],
  ])("are refused: %s", (_, bytes) => {
    expect(() => read([Buffer.from(bytes)], { argument: 10, request: 20, count: 4 })).toThrow(YardError);
  });

  test("that are garbage are refused or read, but nothing else", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
        try {
          read(chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toBeInstanceOf(YardError);
        }
      }),
    );
  });
});

test("replies are written as RESP2 has them", () => {
  const text = (reply: Parameters<typeof encode>[0]) => encode(reply).toString("latin1");
  expect(text({ status: "OK" })).toBe("+OK\r\n");
  expect(text({ error: "ERR two\r\nlines" })).toBe("-ERR two lines\r\n");
  expect(text([1, null, NO_ARRAY, "é", Buffer.from("x"), []])).toBe(
    "*6\r\n:1\r\n$-1\r\n*-1\r\n$2\r\n\u00c3\u00a9\r\n$1\r\nx\r\n*0\r\n",
  );
});
