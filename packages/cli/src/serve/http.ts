/** A yard served over HTTP. */
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { createLogger } from "@switchyard/base/log";
import { parseTokens, serveHttp } from "@switchyard/doors/http";
import { openPage } from "@switchyard/web";
import { Engines, Hypervisor, keepAgent, yardGroup } from "@switchyard/yard/agent";
import { runDirectory, stateDirectory, yardPaths } from "@switchyard/yard/paths";
import { openYard } from "../connect.ts";
import { selfCommand } from "../self.ts";
import type { Session } from "../session.ts";
import { version } from "../version.ts";
import type { HttpDoorOptions } from "./http-options.ts";
import { lentCommands } from "./lent.ts";
import { readText, type Served } from "./options.ts";

/** Serves until it is disposed of. The agent is started; one that dies is started again by the next change. */
export async function serveHttpDoor(session: Session, yard: string, options: HttpDoorOptions): Promise<Served> {
  const { signal, env, cwd } = session;
  const paths = yardPaths(yard, env);
  const tokens = options.tokens === undefined ? [] : parseTokens(readText(resolve(cwd, options.tokens)));
  await using stack = new AsyncDisposableStack();
  await (await keepAgent(yard, { executable: selfCommand(), signal }))[Symbol.asyncDispose]();
  const store = stack.use(await openYard(session, yard));
  const log = createLogger("http", env.SWITCHYARD_LOG);
  const [engines, hypervisor] = [stack.use(new Engines(paths, log)), stack.use(new Hypervisor(paths, log))];
  const runners = { engines, hypervisor, paths };
  const audit =
    options.audit === undefined ? join(stateDirectory(env), "audit", `${yard}.jsonl`) : resolve(cwd, options.audit);
  const ground = {
    yard,
    paths,
    store,
    host: hostname(),
    runners,
    executable: selfCommand(),
    environment: env,
    version,
    log,
    signal,
    page: await openPage(),
    lent: lentCommands(session, yard),
  };
  const server = stack.use(
    await serveHttp(ground, {
      socket:
        options.socket === undefined ? join(runDirectory(env), `${yard}.http.sock`) : resolve(cwd, options.socket),
      group: yardGroup(),
      ...(options.listen === undefined ? {} : { address: options.listen }),
      tls: options.tls,
      names: options.names.map((name) => name.toLowerCase()),
      tokens,
      rate: options.rate,
      audit,
    }),
  );
  const { address, link, socket } = server;
  const open = stack.move();
  return {
    says: [
      `serving yard ${yard} over HTTP on ${socket}${address === undefined ? "" : ` and ${address.host}:${address.port}`}`,
      ...(link === undefined ? [] : [link]),
    ],
    died: new Promise<never>(() => {}),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
