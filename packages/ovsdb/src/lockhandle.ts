import type { Limit } from "./limit.ts";
import type { Lock, LockState } from "./lock.ts";
import type { Session } from "./session.ts";
import type { WaitOptions } from "./types.ts";

/** The public face of a {@link LockState}. */
export class LockHandle implements Lock {
  constructor(
    private readonly state: LockState,
    private readonly session: Session,
    private readonly limit: (options: WaitOptions) => Limit,
  ) {}

  get name(): string {
    return this.state.name;
  }

  get held(): boolean {
    return this.state.held;
  }

  subscribe(listener: (held: boolean) => void): Disposable {
    this.state.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.state.listeners.delete(listener) };
  }

  async acquired(options: WaitOptions = {}): Promise<void> {
    if (this.held) return;
    using limit = this.limit(options);
    await new Promise<void>((resolve, reject) => {
      if (limit.cause !== undefined) return reject(limit.cause);
      const finish = (settle: () => void) => {
        watch[Symbol.dispose]();
        limit.unlisten(aborted);
        settle();
      };
      const aborted = () => finish(() => reject(limit.cause));
      const watch = this.subscribe((held) => {
        if (held) finish(resolve);
      });
      limit.listen(aborted);
    });
  }

  release(): Promise<void> {
    return this.session.unlock(this.state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
