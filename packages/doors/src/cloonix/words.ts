/** The words of a command, taken one after the other. */
import { YardError } from "@switchyard/base";

export class Words {
  readonly #rest: string[];

  constructor(
    words: readonly string[],
    /** The command so far, for messages. */
    private readonly command: string,
  ) {
    this.#rest = [...words];
  }

  /** The next word. @param what it would be, `<name>` @throws YardError `cloonix.bad-word` */
  take(what: string): string {
    const word = this.#rest.shift();
    if (word === undefined) throw this.wrong(`${what} is missing`);
    return word;
  }

  /** A number. @throws YardError `cloonix.bad-word` */
  number(what: string): number {
    return this.asNumber(this.take(what), what);
  }

  asNumber(word: string, what: string): number {
    if (/^\d{1,9}$/.test(word)) return Number(word);
    throw this.wrong(`"${word}" is no number for ${what}`);
  }

  /** One of a few words. @throws YardError `cloonix.bad-word` */
  oneOf<T extends string>(choices: readonly T[], what: string): T {
    const word = this.take(what);
    const choice = choices.find((one) => one === word);
    if (choice !== undefined) return choice;
    throw this.wrong(`"${word}" is not one of ${choices.join(", ")}`);
  }

  /** All that are left. */
  rest(): string[] {
    return this.#rest.splice(0);
  }

  /** @throws YardError `cloonix.bad-word` where there are more */
  end(): void {
    const [word] = this.#rest;
    if (word !== undefined) throw this.wrong(`"${word}" is one word too many`);
  }

  wrong(message: string): YardError {
    return new YardError("cloonix.bad-word", `${this.command}: ${message}`, {
      hint: "`cloonix_cli NET` shows the commands",
    });
  }

  leftOut(what: string, instead: string): YardError {
    return new YardError("cloonix.left-out", `${this.command}: ${what} is not offered`, { hint: instead });
  }
}
