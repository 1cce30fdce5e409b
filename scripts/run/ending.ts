/** How a run of tests ended, and the lines that say so: a run inside a machine tells it by them to the one outside. */
export interface Ending {
  readonly passed: number;
  readonly failed: number;
  /** What had failures. */
  readonly failures: readonly string[];
  /** What passed at the second attempt only. */
  readonly unsteady: readonly string[];
}

const UNSTEADY = "unsteady, passed at the second attempt: ";
const FAILURES = "failed: ";
const COUNTS = /^(\d+) passed, (\d+) failed$/;

/** The counts come last. */
export function endingLines({ passed, failed, failures, unsteady }: Ending): string[] {
  return [
    ...(unsteady.length > 0 ? [`${UNSTEADY}${unsteady.join(", ")}`] : []),
    ...(failures.length > 0 ? [`${FAILURES}${failures.join(", ")}`] : []),
    `${passed} passed, ${failed} failed`,
  ];
}

/** Reads a run's lines one by one, up to its ending. */
export class EndingReader {
  #failures: readonly string[] = [];
  #unsteady: readonly string[] = [];

  /** @returns the ending, when the line was the last one */
  read(line: string): Ending | undefined {
    if (line.startsWith(UNSTEADY)) this.#unsteady = line.slice(UNSTEADY.length).split(", ");
    if (line.startsWith(FAILURES)) this.#failures = line.slice(FAILURES.length).split(", ");
    const counts = COUNTS.exec(line);
    if (counts === null) return undefined;
    const [passed, failed] = [Number(counts[1]), Number(counts[2])];
    return { passed, failed, failures: this.#failures, unsteady: this.#unsteady };
  }
}
