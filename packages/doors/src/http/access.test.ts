import { describe, expect, test } from "bun:test";
import { checkBrowser, newToken, parseTokens, Tokens } from "./access.ts";

describe("tokens", () => {
  const tokens = new Tokens([{ name: "anna", role: "read", token: "a".repeat(20) }], "cookie");
  const with_ = (headers: Record<string, string>) => tokens.who(new Headers(headers))?.name;

  test("tell who comes, and nobody else", () => {
    expect(with_({ authorization: `Bearer ${"a".repeat(20)}` })).toBe("anna");
    expect(with_({ authorization: `bearer  ${"a".repeat(20)}` })).toBe("anna");
    for (const wrong of [`Bearer ${"a".repeat(19)}`, `Basic ${"a".repeat(20)}`, "Bearer", ""])
      expect(with_({ authorization: wrong })).toBeUndefined();
    expect(with_({ cookie: `cookie=${"a".repeat(20)}` })).toBeUndefined();
  });

  test("begin sessions, which end", () => {
    const cookie = tokens.begin({ name: "anna", role: "read" }, true).split(";")[0] ?? "";
    expect(with_({ cookie: `other=1; ${cookie}` })).toBe("anna");
    // A token that is sent counts, and not the session beside it.
    expect(with_({ cookie, authorization: "Bearer wrong" })).toBeUndefined();
    tokens.end(new Headers({ cookie }));
    expect(with_({ cookie })).toBeUndefined();
  });

  test("are never the same", () => expect(newToken()).not.toBe(newToken()));

  test("are read from lines", () => {
    expect(parseTokens(`# who\n\nanna  read ${"x".repeat(16)}\n`)).toEqual([
      { name: "anna", role: "read", token: "x".repeat(16) },
    ]);
    for (const line of ["anna", "anna write 0123456789abcdef", "anna read short", "anna read 0123456789abcdef more"])
      expect(() => parseTokens(`\n${line}`)).toThrow(expect.objectContaining({ code: "http.bad-tokens" }));
  });
});

describe("a browser", () => {
  const check = (headers: Record<string, string>, scheme: "http" | "https" = "http") =>
    checkBrowser(new Headers(headers), scheme, ["lab.example"]);
  const refusal = (code: string) => expect.objectContaining({ code });

  test("may call the server by numbers, localhost and the names that are served", () => {
    for (const host of ["127.0.0.1:7780", "[::1]:7780", "10.1.2.3", "localhost", "lab.example:7780", "LAB.example"])
      expect(() => check({ host })).not.toThrow();
    for (const host of [
      "",
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "lab.example@evil",
      "[evil]",
      "1.2.3",
    ])
      expect(() => check({ host })).toThrow(refusal("http.wrong-host"));
  });

  test("may ask for the server's own pages only", () => {
    const host = "127.0.0.1:7780";
    expect(() => check({ host, origin: "http://127.0.0.1:7780", "sec-fetch-site": "same-origin" })).not.toThrow();
    expect(() => check({ host, "sec-fetch-site": "none" })).not.toThrow();
    for (const origin of [
      "null",
      "https://127.0.0.1:7780",
      "http://127.0.0.1:7781",
      "http://127.0.0.1",
      "http://evil.example",
    ])
      expect(() => check({ host, origin })).toThrow(refusal("http.foreign-origin"));
    for (const site of ["cross-site", "same-site"])
      expect(() => check({ host, "sec-fetch-site": site })).toThrow(refusal("http.foreign-origin"));
    // A link that is followed brings no cookie along.
    const followed = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect(() => check({ host, "sec-fetch-site": "cross-site", ...followed })).not.toThrow();
    expect(() => check({ host, "sec-fetch-site": "cross-site", ...followed, "sec-fetch-dest": "iframe" })).toThrow();
  });
});
