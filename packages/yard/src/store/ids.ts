import { YardError } from "@switchyard/base";

/** The greatest obj_id; the one after it is 1. */
export const MAX_OBJ_ID = 65_535;

/** Hands out obj_ids in order; one that was given back comes again only after the counter has wrapped. */
export class ObjIds {
  #next: number;
  readonly #used: Set<number>;

  /** @param next Yard.next_obj_id @param used those of all nodes there are */
  constructor(next: number, used: Iterable<number>) {
    this.#next = next;
    this.#used = new Set(used);
  }

  /** The new Yard.next_obj_id. */
  get next(): number {
    return this.#next;
  }

  /** @throws YardError `node.ids-exhausted` */
  take(): number {
    if (this.#used.size >= MAX_OBJ_ID)
      throw new YardError("node.ids-exhausted", `the yard has ${MAX_OBJ_ID} nodes and cannot hold another`);
    while (this.#used.has(this.#next)) this.#advance();
    const id = this.#next;
    this.#used.add(id);
    this.#advance();
    return id;
  }

  #advance(): void {
    this.#next = this.#next >= MAX_OBJ_ID ? 1 : this.#next + 1;
  }
}
