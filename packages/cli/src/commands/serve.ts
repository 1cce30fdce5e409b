import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { callOvs, yardPlace } from "@switchyard/doors/ovs";
import { type Ground, serveZeroos } from "@switchyard/doors/zeroos";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import { Engines } from "@switchyard/yard/agent";
import type { ContainerRuntime } from "@switchyard/yard/model";
import { yardPaths } from "@switchyard/yard/paths";
import { type Command, Option } from "commander";
import { openLiveYard } from "../converge.ts";
import { examples } from "../help.ts";
import { repeated } from "../options.ts";
import { needRoot, print, type Session, yardName } from "../session.ts";
import { version } from "../version.ts";

/** Where a Redis listens by default, for programs of this host. */
const LOOPBACK = "127.0.0.1";
const PORT = 6_379;

interface Options {
  /** True: without an address. */
  readonly zeroos?: string | true;
  readonly root: readonly string[];
  readonly runtime: ContainerRuntime;
  readonly passwordFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** `yard serve --zeroos ADDRESS:PORT` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Serve a yard to other programs' clients in the foreground, until it is stopped. What they made stays.\n" +
        "Whoever may use such a server is as good as root: on the loopback that is root and the group yard,\n" +
        "on other addresses who knows the password (SWITCHYARD_ZEROOS_PASSWORD, or --password-file).",
    )
    .option(
      "--zeroos [address:port]",
      `the Python client of zero-os: containers, machines and ovs commands over Redis (default: ${LOOPBACK}:${PORT})`,
    )
    .option("--root <url=image>", "image that stands for the root (flist) of that URL; * for all others", repeated, [])
    .addOption(
      new Option("--runtime <name>", "what containers are made with")
        .choices(["docker", "podman", "oci"])
        .default("oci"),
    )
    .option("--password-file <file>", "file whose first line is the password")
    .option("--tls-cert <file>", "certificate, PEM: the server speaks TLS")
    .option("--tls-key <file>", "its private key, PEM")
    .action(async (options: Options) => {
      await serve(session, yardName(command, session.env), options);
    });
  examples(
    command,
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
  if (options.zeroos === undefined)
    throw new YardError("usage.wrong", "there is nothing to serve", { hint: "give --zeroos" });
  const { host, port } = options.zeroos === true ? { host: LOOPBACK, port: PORT } : parseListen(options.zeroos);
  const tls = readTls(options);
  const password = readPassword(session, options.passwordFile);
  needRoot(["-y", yard, "serve", "--zeroos", `${host}:${port}`], "serving a yard");
  await using stack = new AsyncDisposableStack();
  const live = stack.use(await openLiveYard(session, yard));
  const log = createLogger("zeroos", session.env.SWITCHYARD_LOG);
  const paths = yardPaths(yard, session.env);
  const place = yardPlace(yard, session.env);
  let hypervisor: Promise<VmEngine> | undefined;
  stack.defer(async () => (await hypervisor)?.[Symbol.asyncDispose]());
  const ground: Ground = {
    ...live,
    namespace: place.namespace,
    switchSocket: place.remote.replace(/^unix:/, ""),
    ovs: (name, input, signal, warn) => callOvs(place, name, input, { signal, along: [yard], warn }),
    engines: stack.use(new Engines(paths, log)),
    hypervisor: () => (hypervisor ??= openVmEngine({ stateDir: paths.state, runDir: paths.run, log })),
    roots: new Map(options.root.map((word) => parseRoot(session, word))),
    runtime: options.runtime,
    environment: session.env,
    log,
  };
  const server = stack.use(await serveZeroos(ground, { host, port, password, tls, version }));
  print(session, `serving yard ${yard} to clients of zero-os on ${server.address}:${server.port}`);
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  session.signal.addEventListener("abort", () => stop(), { once: true });
  if (session.signal.aborted) stop();
  await Promise.race([stopped, live.died]);
}

/** `127.0.0.1:6379`, `[::1]:6379`, and `6379` on the loopback. @throws YardError `usage.wrong` */
function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits = ""] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const host = digits === "" ? "" : (bracketed ?? plain ?? LOOPBACK);
  if (isIP(host) === 0 || Number(digits) > 65_535)
    throw new YardError("usage.wrong", `"${text}" is no address to serve on`, {
      hint: "write an IP address and a port, such as 127.0.0.1:6379 or [::1]:6379, or a port of the loopback's",
    });
  return { host, port: Number(digits) };
}

/** `https://…/ovs.flist=busybox`; a folder is meant from where we stand. @throws YardError `usage.wrong` */
function parseRoot(session: Session, word: string): readonly [string, string] {
  const at = word.lastIndexOf("=");
  const [url, image] = [word.slice(0, at), word.slice(at + 1)];
  if (at < 1 || image === "") throw new YardError("usage.wrong", `"${word}" is not of the form URL=IMAGE`);
  return [url, /^\.{0,2}\//.test(image) ? resolve(session.cwd, image) : image];
}

/** @throws YardError `usage.wrong` */
function readPassword({ env }: Session, file: string | undefined): string | undefined {
  const [line] = file === undefined ? [env.SWITCHYARD_ZEROOS_PASSWORD] : readText(file).split("\n");
  if (file !== undefined && !line) throw new YardError("usage.wrong", `${file} has no password in its first line`);
  return line || undefined;
}

/** @throws YardError `usage.wrong` */
function readTls({ tlsCert, tlsKey }: Options): { readonly cert: string; readonly key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new YardError("usage.wrong", "TLS needs both --tls-cert and --tls-key");
  return { cert: readText(tlsCert), key: readText(tlsKey) };
}

/** @throws YardError `usage.wrong` */
function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new YardError("usage.wrong", `${file} cannot be read`, { cause });
  }
}
