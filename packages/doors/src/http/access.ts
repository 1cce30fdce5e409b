/** Who may ask for what: tokens and sessions, and the headers by which a browser tells for whom it asks. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { YardError } from "@switchyard/base";

/** What a client may do: look, or change too. */
export type Role = "read" | "operate";

/** Who asks. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
}

/** A token that is known, by its digest: what is compared takes as long whatever is asked. */
interface Token extends Principal {
  readonly digest: Buffer;
}

/** Sessions of browsers; the oldest is forgotten. */
const MOST_SESSIONS = 1_000;
const SHORTEST = 16;

/** The tokens that are known, and the sessions begun with them. */
export class Tokens {
  readonly #tokens: readonly Token[];
  readonly #sessions = new Map<string, Principal>();
  /** The name of the cookie: browsers keep cookies of a host's ports together. */
  readonly #cookie: string;

  constructor(tokens: readonly (Principal & { readonly token: string })[], cookie: string) {
    this.#tokens = tokens.map(({ name, role, token }) => ({ name, role, digest: digest(token) }));
    this.#cookie = cookie;
  }

  /** Whose token it is. */
  of(token: string): Principal | undefined {
    const given = digest(token);
    return this.#tokens.filter((known) => timingSafeEqual(known.digest, given))[0];
  }

  /** Whoever sends these headers, by token or session. */
  who(headers: Headers): Principal | undefined {
    const [, token] = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    if (token !== undefined) return this.of(token);
    const id = this.#sessionOf(headers);
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  /** Begins a session of a browser. @returns the cookie that it is to keep */
  begin({ name, role }: Principal, secure: boolean): string {
    const id = randomBytes(32).toString("base64url");
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MOST_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(id, { name, role });
    return `${this.#cookie}=${id}; Path=/; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
  }

  /** Ends the session of these headers. @returns the cookie that is none any more */
  end(headers: Headers): string {
    const id = this.#sessionOf(headers);
    if (id !== undefined) this.#sessions.delete(id);
    return `${this.#cookie}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
  }

  #sessionOf(headers: Headers): string | undefined {
    return (headers.get("cookie") ?? "")
      .split(/; */)
      .map((part) => part.split("="))
      .find(([name]) => name === this.#cookie)?.[1];
  }
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** A token that nobody guesses. */
export function newToken(): string {
  return randomBytes(24).toString("base64url");
}

/**
 * The tokens of a file: a line each, `NAME ROLE TOKEN`; what begins with `#` is a remark.
 *
 * @throws YardError `http.bad-tokens`
 */
export function parseTokens(text: string): (Principal & { readonly token: string })[] {
  return text.split("\n").flatMap((line, at) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const [name = "", role, token = "", ...rest] = line.trim().split(/\s+/);
    if ((role !== "read" && role !== "operate") || token.length < SHORTEST || rest.length > 0)
      throw new YardError("http.bad-tokens", `line ${at + 1} of the tokens is not NAME read|operate TOKEN`, {
        hint: `a token has ${SHORTEST} characters at least: openssl rand -base64 24`,
      });
    return [{ name, role, token }];
  });
}

/**
 * Refuses what a browser asks for somebody else. A name that a stranger's DNS server points here is no address and not
 * served; a stranger's page has another origin; one on another port of this host has the same site, but not the same
 * origin.
 *
 * @param names that are served beside addresses
 * @throws YardError `http.wrong-host`, `http.foreign-origin`
 */
export function checkBrowser(headers: Headers, scheme: "http" | "https", names: readonly string[]): void {
  const host = headers.get("host") ?? "";
  if (!isServed(host, names)) throw new YardError("http.wrong-host", `"${host}" is not served here`);
  const origin = headers.get("origin");
  if (origin !== null && origin !== `${scheme}://${host}`)
    throw new YardError("http.foreign-origin", `a page of ${origin} may not ask here`);
  const site = headers.get("sec-fetch-site");
  const followed = headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document";
  if (site !== null && site !== "same-origin" && site !== "none" && !followed)
    throw new YardError("http.foreign-origin", "a page of another origin may not ask here");
}

function isServed(host: string, names: readonly string[]): boolean {
  const [, bracketed, plain = ""] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  return isIP(plain) === 4 || plain === "localhost" || names.includes(plain.toLowerCase());
}
