/** How a run of tests ended, and the lines that say so: a run inside a machine tells it by the last one to whoever reads. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

export interface Ending extends Counts {
  /** What had failures. */
  readonly failures: readonly string[];
  /** What passed at the second attempt only. */
  readonly unsteady: readonly string[];
}

/** The counts come last. */
export function endingLines({ passed, failed, failures, unsteady }: Ending): string[] {
  return [
    ...(unsteady.length > 0 ? [`unsteady, passed at the second attempt: ${unsteady.join(", ")}`] : []),
    ...(failures.length > 0 ? [`failed: ${failures.join(", ")}`] : []),
    `${passed} passed, ${failed} failed`,
  ];
}

/** @returns what a run came to, when the line was its last one */
export function readCounts(line: string): Counts | undefined {
  const counts = /^(\d+) passed, (\d+) failed$/.exec(line);
  return counts === null ? undefined : { passed: Number(counts[1]), failed: Number(counts[2]) };
}
