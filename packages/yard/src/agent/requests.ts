/**
 * What a running agent does for a command. Its replica is warm and its code loaded, so that even in a large yard a
 * command costs little more than its own start. The door itself is the same as without an agent: it reads its dialect,
 * writes one transaction, and waits.
 */
import { z } from "zod";
import type { CheckSpec } from "../model/types.ts";
import { type Changes, changesBetween, declarationOf } from "../store/changes.ts";
import { type Declared, declareLab, withdrawLabs } from "../store/declare.ts";
import { type Rows, rowsOf } from "../store/rows.ts";
import { SettledNodes } from "../store/settled.ts";
import type { Store } from "../store/store.ts";
import { type Outcome, waitApplied } from "../store/wait.ts";
import type { Method } from "./socket.ts";

/** What a change has come to. */
export interface ChangeReply extends Declared {
  readonly changes: Changes;
}

/** What `up` has come to, before it is applied. */
export interface UpReply extends ChangeReply {
  readonly lab: string;
  readonly checks: readonly CheckSpec[];
}

export interface DownReply extends ChangeReply {
  readonly labs: readonly string[];
}

const upSchema = z.strictObject({
  text: z.string(),
  file: z.string(),
  shown: z.string(),
  environment: z.record(z.string(), z.string()),
});
const downSchema = z.strictObject({ file: z.string().optional() });
const settledSchema = z.strictObject({ cfg: z.number().int(), labs: z.array(z.string()) });

/** The methods by which commands change and read a yard; client.ts calls them. */
export function requests(store: Store, yard: string, host: string, signal: AbortSignal): Record<string, Method> {
  const settled = new SettledNodes();
  const change = async <R extends Declared>(write: () => Promise<R>): Promise<R & ChangeReply> => {
    const before = declarationOf(store.db);
    const declared = await write();
    return { ...declared, changes: changesBetween(before, declarationOf(store.db)) };
  };
  return {
    /** Declares the lab that `text` is. @throws YardErrors those of `parseLab`; those of `declareLab` */
    up: async (params): Promise<UpReply> => {
      const { text, ...source } = upSchema.parse(params);
      const { parseLab } = await import("../model/parse.ts");
      const { lab, locate } = parseLab(text, source);
      const reply = await change(() => declareLab(store, lab, { yard, host }, { signal, locate, settled }));
      return { ...reply, lab: lab.name, checks: lab.checks };
    },
    /** Withdraws the lab that came from `file`; all of them where none is given. */
    down: async (params): Promise<DownReply> => {
      const { file } = downSchema.parse(params);
      const meant = rowsOf(store.db).labs.filter((lab) => file === undefined || lab.file === file);
      const labs = meant.map(({ name }) => name);
      return { ...(await change(() => withdrawLabs(store, labs, { signal }))), labs };
    },
    /** Waits until a change is applied, telling how far it is. */
    settled: async (params, tell): Promise<Outcome> => {
      const { cfg, labs } = settledSchema.parse(params);
      return await waitApplied(store, cfg, { labs, signal, onProgress: tell });
    },
    /** All that the yard's database says. */
    rows: (): Rows => rowsOf(store.db),
  };
}
