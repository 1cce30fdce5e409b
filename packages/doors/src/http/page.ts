/** The page, for browsers. */
import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { YardError } from "@switchyard/base";
import type { PageFile, Site } from "./ground.ts";

/**
 * All is the page's own; nothing of it is framed, and it talks to nobody else. What its libraries style by elements of their
 * own bears the nonce. Attributes are let pass: xterm.js writes a terminal's true colours by them, which loads nothing and
 * reaches no other element.
 */
function policyOf(nonce: string): string {
  const styles = `style-src 'self' 'nonce-${nonce}'; style-src-attr 'unsafe-inline'`;
  return `default-src 'self'; img-src 'self' data: blob:; ${styles}; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

/** What stands in the page where the nonce belongs. */
const NONCE = "%nonce%";

/** A file of the page; its ways within itself are those of `/`. @throws YardError `http.not-found` */
export function pageResponse({ page, yard }: Site, method: string, headers: Headers, path: string): Response {
  if (method !== "GET") throw new YardError("http.not-found", `there is nothing at ${path}`);
  const file = page?.get(path) ?? (isPlace(path) ? page?.get("/index.html") : undefined);
  if (file !== undefined) return fileResponse(file, headers);
  if (path !== "/") throw new YardError("http.not-found", `there is nothing at ${path}`);
  return html(
    200,
    yard,
    'This program was built without its page. The API is at <code>/api/v1</code>, described by <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.',
  );
}

/** What one sees who comes without a token. */
export function strangerResponse(yard: string): Response {
  return html(401, yard, "Open the link that <code>yard serve</code> has printed: it bears the token.");
}

function isPlace(path: string): boolean {
  return !path.slice(path.lastIndexOf("/")).includes(".");
}

function fileResponse({ type, bytes, encoding, etag, immutable }: PageFile, asked: Headers): Response {
  if (type.startsWith("text/html")) return documentResponse(bytes, type);
  const headers = {
    "content-type": type,
    "content-encoding": encoding,
    etag,
    "cache-control": immutable ? "private, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": "default-src 'none'",
  };
  if (asked.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers });
}

/** The page itself, with a nonce of its own each time. */
function documentResponse(bytes: Uint8Array<ArrayBuffer>, type: string): Response {
  const nonce = randomBytes(16).toString("base64url");
  const text = gunzipSync(bytes).toString("utf8").replaceAll(NONCE, nonce);
  return new Response(text, {
    headers: { "content-type": type, "cache-control": "no-store", "content-security-policy": policyOf(nonce) },
  });
}

function html(status: number, yard: string, text: string): Response {
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>yard ${yard}</title><h1>yard ${yard}</h1><p>${text}</p></html>\n`;
  return new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'",
    },
  });
}
