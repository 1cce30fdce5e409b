import { asYardError, type YardError } from "@switchyard/base";
import { purposeOf, type Subject } from "./subject.ts";

/** A failure and whom it concerns. */
export interface Failure {
  readonly subject: Subject;
  readonly error: YardError;
}

/** Who has failed in the course of a plan, and so what need not be tried any more. */
export class Blame {
  /** The first failure of each subject: what follows from it is not told again. */
  readonly #failures = new Map<string, Failure>();
  readonly #nodes = new Set<string>();

  add(subject: Subject, thrown: unknown, code: string): void {
    const key = purposeOf(subject);
    if (!this.#failures.has(key)) this.#failures.set(key, { subject, error: asYardError(thrown, code) });
    if (subject.kind === "node") this.#nodes.add(subject.node);
  }

  /** Whether what an action needs has failed already: its node, or the nic or bridge itself. */
  blocks(subject: Subject): boolean {
    if ((subject.kind === "node" || subject.kind === "nic") && this.#nodes.has(subject.node)) return true;
    return (subject.kind === "nic" || subject.kind === "bridge") && this.#failures.has(purposeOf(subject));
  }

  failures(): Failure[] {
    return [...this.#failures.values()];
  }
}

/** Whom what is called `name` is for; the yard when that is not known. */
export function subjectOf(subjects: ReadonlyMap<string, Subject>, name: string): Subject {
  return subjects.get(name) ?? { kind: "yard" };
}
