/**
 * Notices a peer that has fallen silent (ovsdb-server(7), "Inactivity probes"): after `interval` without any byte it
 * asks, after another one it gives up. A late timer means that we were busy, not that the peer was: what the kernel
 * holds for us is read before a verdict.
 */
export class Probe {
  #timer: NodeJS.Timeout | undefined;
  #asked = false;
  #heard = 0;

  constructor(
    private readonly interval: number,
    private readonly ask: () => void,
    private readonly giveUp: () => void,
  ) {
    this.#arm();
  }

  heard(): void {
    this.#heard++;
    this.#asked = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    if (this.interval <= 0) return;
    const before = this.#heard;
    this.#timer = setTimeout(() => this.#due(before), this.interval);
    this.#timer.unref();
  }

  #due(before: number): void {
    // Two turns of the loop: one poll of the sockets lies between them.
    setImmediate(() =>
      setImmediate(() => {
        if (this.#timer === undefined) return;
        if (this.#heard === before) {
          if (this.#asked) return this.giveUp();
          this.#asked = true;
          this.ask();
        }
        this.#arm();
      }),
    );
  }
}
