/** A yard served to clients of zero-os. */
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { callOvs, yardPlace } from "@switchyard/doors/ovs";
import { type Ground, serveZeroos } from "@switchyard/doors/zeroos";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import { Engines } from "@switchyard/yard/agent";
import type { ContainerRuntime } from "@switchyard/yard/model";
import { yardPaths } from "@switchyard/yard/paths";
import { openLiveYard } from "../converge.ts";
import type { Session } from "../session.ts";
import { version } from "../version.ts";
import { type Listen, readText, type Served, type TlsFiles } from "./options.ts";

export interface ZeroosOptions {
  readonly listen: Listen;
  readonly tls: TlsFiles | undefined;
  readonly root: readonly string[];
  readonly runtime: ContainerRuntime;
  readonly passwordFile: string | undefined;
}

/** Serves until it is disposed of; `died` rejects when the agent is gone for good. */
export async function serveZeroosDoor(session: Session, yard: string, options: ZeroosOptions): Promise<Served> {
  const password = readPassword(session, options.passwordFile);
  const roots = new Map(options.root.map((word) => parseRoot(session, word)));
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
    hypervisor: () => {
      hypervisor ??= openVmEngine({ stateDir: paths.state, runDir: paths.run, log });
      return hypervisor;
    },
    roots,
    runtime: options.runtime,
    environment: session.env,
    log,
  };
  const { host, port } = options.listen;
  const server = stack.use(await serveZeroos(ground, { host, port, password, tls: options.tls, version }));
  const open = stack.move();
  return {
    says: [`serving yard ${yard} to clients of zero-os on ${server.address}:${server.port}`],
    died: live.died,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
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
