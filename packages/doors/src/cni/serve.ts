/** The other end of the quick way: calls of the plugin, done in the agent's process on a database that stays open. */
import { asYardError, type Logger, YardError } from "@switchyard/base";
import { removeLink } from "@switchyard/linux";
import type { Switch } from "@switchyard/vswitch";
import { switchRemote, yardPaths } from "@switchyard/yard/paths";
import { type AgentReply, ownNamespaces } from "./ask.ts";
import { PLUGIN_TYPES } from "./config.ts";
import { Elsewhere } from "./errors.ts";
import { Fields, isRecord } from "./fields.ts";
import { type OpenedSwitch, openPlace, placeOf, type SwitchPlace } from "./place.ts";
import { runPlugin } from "./plugin.ts";
import { sweep } from "./sweep.ts";

/** Serves calls for the switch of one yard. */
export interface CniServer extends AsyncDisposable {
  /**
   * Does one call.
   *
   * @param params an AgentCall
   * @param warn gets lines for the runtime's log
   * @param gone aborts when the caller has gone: then all is undone
   * @throws YardError `cni.bad-call`
   */
  call(params: unknown, warn: (line: string) => void, gone: AbortSignal): Promise<AgentReply>;
}

/** The database is opened at the first call. On the host's own switch that is now, for what an earlier boot has left. */
export function serveCni(yard: string, log: Logger): CniServer {
  const server = new Server(yard, log);
  if (yard === "system") void server.collectDead();
  return server;
}

class Server implements CniServer {
  readonly #remote: string;
  readonly #home = ownNamespaces();
  #opened: Promise<Switch> | undefined;
  /** The last call about each nic: a runtime that lost patience with one asks for the next while that is being undone. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(
    yard: string,
    private readonly log: Logger,
  ) {
    this.#remote = switchRemote(yardPaths(yard));
  }

  async call(params: unknown, warn: (line: string) => void, gone: AbortSignal): Promise<AgentReply> {
    const { type, env, input, namespaces } = readCall(params);
    if (namespaces.join() !== this.#home.join()) return { elsewhere: "the caller has namespaces of its own" };
    const own = (place: SwitchPlace) => {
      if (place.remote !== this.#remote) throw new Elsewhere(`this agent is not of ${place.title}`);
      return place;
    };
    const work = async (): Promise<AgentReply> => {
      try {
        return await runPlugin({
          type,
          env,
          input: async () => input,
          warn,
          signal: gone,
          placeOf: (choice) => own(placeOf(choice, env)),
          open: (place) => this.#open(place),
          removeLink,
        });
      } catch (error) {
        if (error instanceof Elsewhere) return { elsewhere: error.message };
        throw error;
      }
    };
    return this.#inTurn(`${env.CNI_CONTAINERID} ${env.CNI_IFNAME}`, work);
  }

  async collectDead(): Promise<void> {
    try {
      await using opened = await this.#open(placeOf({ yard: "system" }, {}));
      await opened.catchUp();
      await sweep(opened.db, "self", {});
    } catch (error) {
      this.log.debug({ error: asYardError(error).message }, "ports of an earlier boot were not looked for");
    }
  }

  async #inTurn<R>(key: string, work: () => Promise<R>): Promise<R> {
    const before = this.#last.get(key);
    const mine = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }

  async #open(place: SwitchPlace): Promise<OpenedSwitch> {
    this.#opened ??= openPlace(place, undefined).catch((error) => {
      this.#opened = undefined;
      throw error;
    });
    const db = await this.#opened;
    const catchUp = async () => {
      // RFC 7047, 4.1.6: the updates of all that came before reach us before the answer does.
      await db.execute([], { timeout: 5_000 }).catch((cause) => {
        throw new YardError("cni.switch-away", `${place.title} does not answer`, { cause, where: place.remote });
      });
    };
    if (!db.connected) await catchUp();
    return { db, catchUp, [Symbol.asyncDispose]: async () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#last.values());
    const db = await this.#opened?.catch(() => undefined);
    await db?.close();
  }
}

function readCall(params: unknown) {
  const call = new Fields(isRecord(params) ? params : {}, "", { wrong: [], unsupported: [] });
  const type = call.choice("type", PLUGIN_TYPES);
  const input = call.any("input");
  const env = call.any("env");
  const namespaces = call.any("namespaces");
  if (call.any("protocol") !== 1 || type === undefined || typeof input !== "string" || !isRecord(env))
    throw new YardError("cni.bad-call", "the call of the CNI plugin is not what this agent understands");
  const variables = Object.entries(env).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return {
    type,
    input,
    env: Object.fromEntries(variables),
    namespaces: Array.isArray(namespaces) ? namespaces.map(String) : [],
  };
}
