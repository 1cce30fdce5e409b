/** What the values of options are read with. */
import { InvalidArgumentError } from "commander";

/** Collects an option that may be given several times; the default must be the empty list. */
export function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** @throws InvalidArgumentError unless a number above 0 */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError("a number above 0 is expected.");
  return value;
}

/** @throws InvalidArgumentError unless a whole number in the range */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is expected.`);
    return value;
  };
}
