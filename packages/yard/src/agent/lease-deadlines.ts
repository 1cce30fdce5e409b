import type { Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./desire.ts";
import { dhcpNics, noLease } from "./desire-dhcp.ts";

/** Milliseconds that a DHCP server may take to give a nic an address; dnsmasq(8) spends three seconds on a ping first. */
const LIMIT = 20_000;

/** What there is to say of nics that have no lease. */
export interface Unleased {
  /** Names of the nodes with one that may yet get its lease in time. */
  readonly waiting: Set<string>;
  readonly failures: readonly Failure[];
}

/** Since when each nic has been without a lease; no lease in time is its failure. */
export class LeaseDeadlines implements Disposable {
  readonly #began = new Map<string, number>();
  readonly #onDue: () => void;
  #timer: Timer | undefined;

  /** @param onDue called when another one has had its time */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  look(rows: Rows, { host, leases }: Pick<HostFacts, "host" | "leases">): Unleased {
    const now = Date.now();
    const nics = [...dhcpNics(rows.nodes.filter((node) => node.host === host))].filter(({ id }) => !leases.has(id));
    const present = new Set(nics.map(({ id }) => id));
    for (const id of this.#began.keys()) if (!present.has(id)) this.#began.delete(id);
    const waiting = new Set<string>();
    const failures: Failure[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const { node, nic, id } of nics) {
      const due = (this.#began.get(id) ?? now) + LIMIT;
      this.#began.set(id, due - LIMIT);
      if (due <= now) failures.push(noLease(node, nic));
      else {
        waiting.add(node.name);
        next = Math.min(next, due);
      }
    }
    clearTimeout(this.#timer);
    if (next < Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#onDue, next - now);
    return { waiting, failures };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
