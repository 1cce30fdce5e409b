import { appendFileSync, chmodSync, closeSync, openSync, writeSync } from "node:fs";

/** One line of the audit log. No bodies, queries or arguments, which may hold secrets. */
interface AuditEntry {
  /** The token's name, `link` for the link that was printed, `unix` for the socket; `-` where nobody was known. */
  readonly who: string;
  readonly role: string;
  /** The client's address; empty over the unix socket. */
  readonly from: string;
  /** The operation's id in the API, and what it was about. */
  readonly what: string;
  readonly target: string;
  readonly method: string;
  readonly status: number;
  /** Of what was refused or has failed. */
  readonly code?: string;
  readonly milliseconds: number;
  /** The program that was run, without its arguments; how a stream ended. */
  readonly note?: string;
}

/** Who did what, when, and what came of it: JSON lines, appended to a file of root's. */
export class AuditLog implements Disposable {
  #fd: number | undefined;

  /**
   * @param file made where it is not there; only root and the group may read it
   * @param onError told of a line that could not be written, on a full disk say: what was done is done
   */
  constructor(
    readonly file: string,
    private readonly onError: (error: unknown) => void,
  ) {
    appendFileSync(file, "", { mode: 0o640 });
    chmodSync(file, 0o640);
    this.#fd = openSync(file, "a");
  }

  write(entry: AuditEntry): void {
    // What ends later than the server is told by nobody.
    if (this.#fd === undefined) return;
    try {
      writeSync(this.#fd, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
    } catch (error) {
      this.onError(error);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
