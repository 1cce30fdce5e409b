/** The page, for browsers. */
import { YardError } from "@switchyard/base";
import type { PageFile, Site } from "./ground.ts";

/** All is the page's own; nothing of it is framed, and it talks to nobody else. */
const POLICY =
  "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A file of the page; its ways within itself are those of `/`. @throws YardError `http.not-found` */
export function pageResponse({ page, yard }: Site, request: Request, path: string): Response {
  if (request.method !== "GET") throw new YardError("http.not-found", `there is nothing at ${path}`);
  const file = page?.get(path) ?? (isPlace(path) ? page?.get("/index.html") : undefined);
  if (file !== undefined) return fileResponse(file, request);
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

function fileResponse({ type, bytes, encoding, etag, immutable }: PageFile, request: Request): Response {
  const headers = {
    "content-type": type,
    "content-encoding": encoding,
    etag,
    "cache-control": immutable ? "private, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": POLICY,
  };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers });
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
