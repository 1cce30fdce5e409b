import { YardError } from "@switchyard/base";
import type { ContainerRuntime } from "@switchyard/yard/model";
import { type Command, Option } from "commander";
import { examples } from "../help.ts";
import { repeated } from "../options.ts";
import { type HttpWords, httpOptions, readHttp, tlsOptions } from "../serve/http-options.ts";
import { LOOPBACK, parseListen, readTls, type Served } from "../serve/options.ts";
import { needRoot, print, type Session, yardName } from "../session.ts";

/** Where a Redis listens by default. */
const REDIS = `${LOOPBACK}:6379`;

interface Options extends HttpWords {
  /** True: without an address. */
  readonly zeroos?: string | true;
  readonly root: readonly string[];
  readonly runtime: ContainerRuntime;
  readonly passwordFile?: string;
}

/** `yard serve [--http [ADDRESS]] [--zeroos [ADDRESS]]` */
export function define(command: Command, session: Session): void {
  command.description(
    "Serve a yard to other programs in the foreground, until it is stopped. What they made stays.\n" +
      "Whoever may use such a server is as good as root. HTTP: root and the group yard by its socket, on\n" +
      "the loopback who has the link that is printed, elsewhere who has a token. zero-os: on the loopback\n" +
      "root and the group yard, elsewhere who knows the password (SWITCHYARD_ZEROOS_PASSWORD).",
  );
  httpOptions(command)
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
    .option("--password-file <file>", "file whose first line is the password of zero-os");
  tlsOptions(command).action(async (options: Options) => {
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
  const { zeroos } = options;
  const http = readHttp(options);
  if (http === undefined && zeroos === undefined)
    throw new YardError("usage.wrong", "there is nothing to serve", { hint: "give --http, --zeroos or both" });
  const tls = readTls(options);
  const redis = zeroos === undefined ? undefined : parseListen(zeroos === true ? REDIS : zeroos);
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
    served.push(stack.use(await serveHttpDoor(session, yard, http)));
  }
  print(session, ...served.flatMap(({ says }) => says));
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  session.signal.addEventListener("abort", () => stop(), { once: true });
  if (session.signal.aborted) stop();
  await Promise.race([stopped, ...served.map(({ died }) => died)]);
}
