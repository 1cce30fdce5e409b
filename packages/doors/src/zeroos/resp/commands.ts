/** The commands of a Redis that a zero-os client uses. */
import { YardError } from "@switchyard/base";
import type { Lists } from "../lists.ts";
import { NO_ARRAY, OK, type Reply } from "./reply.ts";

/** What a client's commands work with. */
export interface RedisGround {
  readonly lists: Lists;
  /** Takes a job. @throws YardError `zeroos.bad-job`, `zeroos.busy` */
  readonly submit: (text: string) => void;
  /** Ends what a client waits for, because it has gone or the server ends. */
  readonly signal: AbortSignal;
}

/** The list that jobs are pushed to. */
const JOBS = "core:default";

/** Seconds that a client may wait at most in one command; a longer or endless wait is asked for again. */
const LONGEST_WAIT = 3_600;

interface Command {
  /** How many arguments it takes. */
  readonly least: number;
  readonly most: number;
  readonly run: (ground: RedisGround, args: readonly string[]) => Reply | Promise<Reply>;
}

/** ledis, which some nodes had in Redis's place, calls these otherwise. */
const exists: Command = {
  least: 1,
  most: 100,
  run: ({ lists }, keys) => keys.filter((key) => lists.has(key)).length,
};
const ttl = (unit: number): Command => ({
  least: 1,
  most: 1,
  run: ({ lists }, [key = ""]) => {
    const left = lists.left(key);
    return left === undefined ? -2 : left === "for ever" ? -1 : Math.ceil(left / unit);
  },
});
const pop = (end: "first" | "last"): Command => ({
  least: 1,
  most: 1,
  run: ({ lists }, [key = ""]) => lists.take(key, end) ?? null,
});
const blockingPop = (end: "first" | "last"): Command => ({
  least: 2,
  most: 100,
  async run(ground, args) {
    const taken = await waited(ground, args.slice(0, -1), end, args.at(-1) ?? "");
    return taken === undefined ? NO_ARRAY : [taken.key, taken.item];
  },
});

const commands: Readonly<Record<string, Command>> = {
  PING: { least: 0, most: 1, run: (_, [text]) => text ?? { status: "PONG" } },
  ECHO: { least: 1, most: 1, run: (_, [text = ""]) => text },
  SELECT: {
    least: 1,
    most: 1,
    run: (_, [index]) => (index === "0" ? OK : { error: "ERR DB index is out of range" }),
  },
  /** A client tells its name and version, or asks for ours in a later protocol than we speak. */
  CLIENT: { least: 1, most: 20, run: () => OK },
  HELLO: { least: 0, most: 20, run: () => ({ error: "NOPROTO this server speaks RESP2 only" }) },
  INFO: { least: 0, most: 20, run: () => "# Server\r\nredis_mode:standalone\r\n" },
  RPUSH: {
    least: 2,
    most: 100,
    run({ submit }, [key = "", ...values]) {
      if (key !== JOBS) return { error: `ERR only ${JOBS} may be pushed to` };
      for (const value of values) submit(value);
      return values.length;
    },
  },
  LLEN: { least: 1, most: 1, run: ({ lists }, [key = ""]) => lists.items(key).length },
  LRANGE: {
    least: 3,
    most: 3,
    run({ lists }, [key = "", from = "", to = ""]) {
      const items = lists.items(key);
      const [first, last] = [integer(from), integer(to)].map((at) => (at < 0 ? items.length + at : at));
      return items.slice(Math.max(0, first ?? 0), Math.max(0, (last ?? 0) + 1));
    },
  },
  LPOP: pop("first"),
  RPOP: pop("last"),
  RPOPLPUSH: {
    least: 2,
    most: 2,
    run: ({ lists }, [from = "", to = ""]) => (from === to ? (lists.take(from, "rotate") ?? null) : onlyItself(from)),
  },
  BRPOPLPUSH: {
    least: 3,
    most: 3,
    async run(ground, [from = "", to = "", seconds = ""]) {
      if (from !== to) return onlyItself(from);
      return (await waited(ground, [from], "rotate", seconds))?.item ?? null;
    },
  },
  BLPOP: blockingPop("first"),
  BRPOP: blockingPop("last"),
  EXISTS: exists,
  LKEYEXISTS: exists,
  TTL: ttl(1_000),
  LTTL: ttl(1_000),
  PTTL: ttl(1),
};

/** Answers one request of a client that has authenticated itself. */
export async function answer(ground: RedisGround, name: string, args: readonly Buffer[]): Promise<Reply> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return { error: `ERR unknown command '${name.slice(0, 64)}'` };
  if (args.length < command.least || args.length > command.most)
    return { error: `ERR wrong number of arguments for '${name.toLowerCase()}' command` };
  try {
    return await command.run(
      ground,
      args.map((argument) => argument.toString("utf8")),
    );
  } catch (error) {
    if (!(error instanceof YardError)) throw error;
    return { error: `ERR ${error.message} [${error.code}]` };
  }
}

async function waited(
  { lists, signal }: RedisGround,
  keys: readonly string[],
  end: "first" | "last" | "rotate",
  text: string,
) {
  if (!/^\d{1,9}(\.\d+)?$/.test(text))
    throw new YardError("zeroos.bad-request", "timeout is not a float or out of range");
  const seconds = Number(text) === 0 ? LONGEST_WAIT : Math.min(Number(text), LONGEST_WAIT);
  return await lists.wait(keys, end, seconds * 1_000, signal);
}

function integer(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new YardError("zeroos.bad-request", "value is not an integer or out of range");
  return Number(text);
}

function onlyItself(key: string): Reply {
  return { error: `ERR ${key} may be turned onto itself only` };
}
