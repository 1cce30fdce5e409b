/**
 * What the driver is at, in the yard's database. The engine repeats a call when the connection breaks, but with an empty
 * body, as it has read that to its end the first time (callWithRetry in moby's pkg/plugins/client.go): what the call was
 * about is then known from here alone.
 */
import { randomUUID } from "node:crypto";
import { YardError } from "@switchyard/base";
import type { Store } from "@switchyard/yard/store";

const PREFIX = "docker-call ";

/** Milliseconds after which the engine no longer repeats a call. */
const LIFE = 60_000;

/** Whether a call is under way, or was when the driver died, that names this id. */
export function isAtIt(store: Store, id: string): boolean {
  return [...(store.db.table("Yard").single()?.external_ids ?? [])].some(
    ([key, value]) => key.startsWith(PREFIX) && value.includes(id) && Number.parseInt(value, 10) > Date.now() - LIFE,
  );
}

export class Journal {
  /** Calls that were begun before belong to a predecessor that has died. */
  readonly #began = Date.now();

  /** Notes a call. @returns what ends it, for which nobody has to wait */
  async note(store: Store, method: string, body: string): Promise<() => void> {
    const yard = store.db.table("Yard").single();
    if (yard === undefined) return () => {};
    const key = `${PREFIX}${method} ${randomUUID()}`;
    const change = (ids: { set: [string, string][] } | { delete: string[] }) =>
      store.db.transact((tx) => tx.mutate("Yard", yard._uuid, { external_ids: ids }));
    await change({ set: [[key, `${Date.now()} ${body}`]] });
    return () => void change({ delete: [key] }).catch(() => {});
  }

  /**
   * The body of the call that a predecessor died in, which is forgotten then.
   *
   * @throws YardError `dockernet.bad-request` where there is none, or several that it could be
   */
  async recall(store: Store, method: string): Promise<string> {
    return await store.db.transact((tx) => {
      const yard = tx.single("Yard");
      const own = [...(yard?.external_ids ?? [])].flatMap(([key, value]) => {
        const [, since, body] = key.startsWith(`${PREFIX}${method} `) ? (/^(\d+) (.*)$/s.exec(value) ?? []) : [];
        const fresh = Number(since) < this.#began && Number(since) > Date.now() - LIFE;
        return body === undefined || !fresh ? [] : [{ key, body }];
      });
      const [first, ...others] = own;
      if (yard === undefined || first === undefined || others.length > 0)
        throw new YardError("dockernet.bad-request", `${method}: the engine says nothing of what it is about`, {
          hint: "try again: the driver was started anew in the middle of it",
        });
      tx.mutate("Yard", yard._uuid, { external_ids: { delete: [first.key] } });
      return first.body;
    });
  }
}
