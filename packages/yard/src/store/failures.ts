import { YardError, YardErrors } from "@switchyard/base";
import { subjectText } from "../agent/subject.ts";
import type { RowFailure } from "./wait.ts";

/** The rows that failed, as the errors that they are; each tells what it is about. */
export function failureErrors(failures: readonly RowFailure[]): YardError | undefined {
  const errors = failures.map(
    ({ subject, code, message, hint }) =>
      new YardError(code, `${subjectText(subject)}: ${message}`, hint === undefined ? {} : { hint }),
  );
  const [first, ...others] = errors;
  if (first === undefined) return undefined;
  return others.length === 0 ? first : new YardErrors([first, ...others]);
}
