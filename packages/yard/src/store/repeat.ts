import { OutcomeUnknownError } from "@switchyard/ovsdb";

/** How often it is tried, when the server goes away each time. */
const ATTEMPTS = 3;

/**
 * Does again what may be done twice, when the server went away before it said what has become of it.
 *
 * @throws what `body` throws
 */
export async function repeat<R>(body: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError) || attempt === ATTEMPTS) throw error;
    }
  }
}
