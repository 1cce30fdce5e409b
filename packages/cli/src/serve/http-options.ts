/** How a yard is served over HTTP, as it is said on the command line of `serve` and of `agent`. */
import type { Command } from "commander";
import { repeated, wholeNumber } from "../options.ts";
import { type Listen, LOOPBACK, parseListen, readTls, type TlsFiles } from "./options.ts";

/** Where we listen by default. */
const ADDRESS = `${LOOPBACK}:7780`;
/** Requests a second that one client may make. */
const RATE = 200;

/** As commander has the options. */
export interface HttpWords {
  /** True: without an address. */
  readonly http?: string | true;
  readonly httpSocket?: string;
  readonly host: readonly string[];
  readonly tokens?: string;
  readonly rate: number;
  readonly audit?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** What is meant. */
export interface HttpDoorOptions {
  /** Undefined: only the socket. */
  readonly listen: Listen | undefined;
  readonly socket: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly names: readonly string[];
  readonly tokens: string | undefined;
  readonly rate: number;
  readonly audit: string | undefined;
}

/** Gives a verb the options. */
export function httpOptions(command: Command): Command {
  return command
    .option("--http [address:port]", `the HTTP API, and its page (default: ${ADDRESS}; unix: its socket alone)`)
    .option("--http-socket <file>", "where its socket is (default: /run/switchyard/<yard>.http.sock)")
    .option("--host <name>", "a name that the address may be called by (may be repeated)", repeated, [])
    .option("--tokens <file>", "who may come over HTTP: lines of NAME read|operate TOKEN")
    .option("--rate <requests>", "HTTP requests a second that a client may make; 0: any number", rate, RATE)
    .option("--audit <file>", "where is told who did what over HTTP (default: /var/lib/switchyard/audit/<yard>.jsonl)");
}

export function tlsOptions(command: Command): Command {
  return command
    .option("--tls-cert <file>", "certificate, PEM: the servers speak TLS")
    .option("--tls-key <file>", "its private key, PEM");
}

/** Undefined when HTTP is not asked for. @throws YardError `usage.wrong` */
export function readHttp(words: HttpWords): HttpDoorOptions | undefined {
  const { http, httpSocket: socket, host: names, tokens, rate, audit } = words;
  if (http === undefined) return undefined;
  const listen = http === "unix" ? undefined : parseListen(http === true ? ADDRESS : http);
  return { listen, socket, tls: readTls(words), names, tokens, rate, audit };
}

/** Nothing or more. @throws InvalidArgumentError */
function rate(text: string): number {
  return text === "0" ? 0 : wholeNumber(1, 1_000_000)(text);
}
