import { YardError } from "@switchyard/base";
import type { ContainerRuntime } from "@switchyard/yard/model";
import { type Command, Option } from "commander";
import { examples } from "../help.ts";
import { repeated, wholeNumber } from "../options.ts";
import { LOOPBACK, parseListen, readTls, type Served } from "../serve/options.ts";
import { needRoot, print, type Session, yardName } from "../session.ts";

/** Where a Redis listens by default, and where we do over HTTP. */
const REDIS = `${LOOPBACK}:6379`;
const HTTP = `${LOOPBACK}:7780`;
/** Requests a second that one client may make. */
const RATE = 200;

interface Options {
  /** True: without an address. */
  readonly http?: string | true;
  readonly httpSocket?: string;
  readonly host: readonly string[];
  readonly tokens?: string;
  readonly rate: number;
  readonly audit?: string;
  readonly zeroos?: string | true;
  readonly root: readonly string[];
  readonly runtime: ContainerRuntime;
  readonly passwordFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** `yard serve [--http [ADDRESS]] [--zeroos [ADDRESS]]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Serve a yard to other programs in the foreground, until it is stopped. What they made stays.\n" +
        "Whoever may use such a server is as good as root. HTTP: root and the group yard by its socket, on\n" +
        "the loopback who has the link that is printed, elsewhere who has a token. zero-os: on the loopback\n" +
        "root and the group yard, elsewhere who knows the password (SWITCHYARD_ZEROOS_PASSWORD).",
    )
    .option("--http [address:port]", `the HTTP API, and its page (default: ${HTTP}; unix: its socket alone)`)
    .option("--http-socket <file>", "where its socket is (default: /run/switchyard/<yard>.http.sock)")
    .option("--host <name>", "a name that the address may be called by (may be repeated)", repeated, [])
    .option("--tokens <file>", "who may come over HTTP: lines of NAME read|operate TOKEN")
    .option("--rate <requests>", "HTTP requests a second that a client may make; 0: any number", rate, RATE)
    .option("--audit <file>", "where is told who did what over HTTP (default: /var/lib/switchyard/audit/<yard>.jsonl)")
    .option(
      "--zeroos [address:port]",
      `the Python client of zero-os: containers, machines and ovs commands over Redis (default: ${REDIS})`,
    )
    .option("--root <url=image>", "image that stands for the root (flist) of that URL; * for all others", repeated, [])
    .addOption(
      new Option("--runtime <name>", "what containers are made with by zero-os")
        .choices(["docker", "podman", "oci"])
        .default("oci"),
    )
    .option("--password-file <file>", "file whose first line is the password of zero-os")
    .option("--tls-cert <file>", "certificate, PEM: the servers speak TLS")
    .option("--tls-key <file>", "its private key, PEM")
    .action(async (options: Options) => {
      await serve(session, yardName(command, session.env), options);
    });
  examples(
    command,
    ["sudo yard serve --http", "prints a link to open in a browser of this host"],
    ["curl --unix-socket /run/switchyard/main.http.sock http://yard/api/v1/yard", "as root or a member of the group"],
    [
      "sudo yard serve --http 0.0.0.0:7780 --host lab.example --tokens /etc/yard.tokens --tls-cert c.pem --tls-key k.pem",
      "for others",
    ],
    [
      "sudo yard serve --zeroos --root https://hub.gig.tech/gig-official-apps/ovs.flist=busybox",
      "Client('127.0.0.1', ssl=False) finds containers and Open vSwitch",
    ],
    [
      "sudo yard serve --zeroos 0.0.0.0:6379 --password-file /etc/yard.pw --tls-cert c.pem --tls-key k.pem",
      "for others",
    ],
  );
}

async function serve(session: Session, yard: string, options: Options): Promise<void> {
  const { http, zeroos } = options;
  if (http === undefined && zeroos === undefined)
    throw new YardError("usage.wrong", "there is nothing to serve", { hint: "give --http, --zeroos or both" });
  const tls = readTls(options);
  const redis = zeroos === undefined ? undefined : parseListen(zeroos === true ? REDIS : zeroos);
  const web = http === undefined || http === "unix" ? undefined : parseListen(http === true ? HTTP : http);
  const words = [...(http === undefined ? [] : ["--http"]), ...(zeroos === undefined ? [] : ["--zeroos"])];
  needRoot(["-y", yard, "serve", ...words], "serving a yard");
  await using stack = new AsyncDisposableStack();
  const served: Served[] = [];
  if (redis !== undefined) {
    const { serveZeroosDoor } = await import("../serve/zeroos.ts");
    const { root, runtime, passwordFile } = options;
    served.push(stack.use(await serveZeroosDoor(session, yard, { listen: redis, tls, root, runtime, passwordFile })));
  }
  if (http !== undefined) {
    const { serveHttpDoor } = await import("../serve/http.ts");
    const { host: names, tokens, rate, audit, httpSocket: socket } = options;
    served.push(
      stack.use(await serveHttpDoor(session, yard, { listen: web, socket, tls, names, tokens, rate, audit })),
    );
  }
  print(session, ...served.flatMap(({ says }) => says));
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  session.signal.addEventListener("abort", () => stop(), { once: true });
  if (session.signal.aborted) stop();
  await Promise.race([stopped, ...served.map(({ died }) => died)]);
}

/** Nothing or more. @throws InvalidArgumentError */
function rate(text: string): number {
  return text === "0" ? 0 : wholeNumber(1, 1_000_000)(text);
}
