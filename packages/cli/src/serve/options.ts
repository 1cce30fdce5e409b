/** What the servers of a yard have in common. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { YardError } from "@switchyard/base";

/** Where servers listen by default, for programs of this host. */
export const LOOPBACK = "127.0.0.1";

export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A server that serves. */
export interface Served extends AsyncDisposable {
  /** What people are told of it. */
  readonly says: readonly string[];
  /** Rejects when it cannot go on. */
  readonly died: Promise<never>;
}

/** `127.0.0.1:6379`, `[::1]:6379`, and `6379` on the loopback. @throws YardError `usage.wrong` */
export function parseListen(text: string): Listen {
  const [, bracketed, plain, digits = ""] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const host = digits === "" ? "" : (bracketed ?? plain ?? LOOPBACK);
  if (isIP(host) === 0 || Number(digits) > 65_535)
    throw new YardError("usage.wrong", `"${text}" is no address to serve on`, {
      hint: "write an IP address and a port, such as 127.0.0.1:6379 or [::1]:6379, or a port of the loopback's",
    });
  return { host, port: Number(digits) };
}

/** @throws YardError `usage.wrong` */
export function readTls({
  tlsCert,
  tlsKey,
}: {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new YardError("usage.wrong", "TLS needs both --tls-cert and --tls-key");
  return { cert: readText(tlsCert), key: readText(tlsKey) };
}

/** @throws YardError `usage.wrong` */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new YardError("usage.wrong", `${file} cannot be read`, { cause });
  }
}
