const FACTOR = Number(process.env.SWITCHYARD_TEST_PATIENCE ?? 1);

/**
 * A time limit of a test that also runs where processors are emulated: there it is `SWITCHYARD_TEST_PATIENCE` times as
 * long, as everything takes longer.
 */
export function patience(milliseconds: number): number {
  return milliseconds * FACTOR;
}
