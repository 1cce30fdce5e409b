import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BadRemoteError } from "./errors.ts";
import { parseRemotes } from "./transport.ts";

describe("remotes", () => {
  test("are read as ovsdb(7) writes them", () => {
    const text =
      "unix:/run/db.sock,tcp:10.0.0.1:6640, ssl:[fd00::1]:16640,ssl:db.example,ptcp:6640:[::1],punix:p,pssl:";
    assert.deepEqual(
      parseRemotes(text).map(({ text: _, ...remote }) => remote),
      [
        { kind: "unix", path: "/run/db.sock" },
        { kind: "tcp", host: "10.0.0.1", port: 6640 },
        { kind: "ssl", host: "fd00::1", port: 16640 },
        { kind: "ssl", host: "db.example", port: 6640 },
        { kind: "ptcp", host: "::1", port: 6640 },
        { kind: "punix", path: "p" },
        { kind: "pssl", host: "0.0.0.0", port: 6640 },
      ],
    );
  });

  test("that are none are refused", () => {
    for (const text of ["", "unix:", "tcp:", "tcp:fd00::1:6640", "tcp:h:99999", "http://x", "tcp:h:1:2", "ptcp:x"])
      assert.throws(() => parseRemotes(text), BadRemoteError, text);
  });
});
