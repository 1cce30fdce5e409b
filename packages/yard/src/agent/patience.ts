/**
 * Milliseconds that the switch may take for what it was asked for, and for devices that were made anew: 30 s, or what
 * `SWITCHYARD_SWITCH_PATIENCE`, in seconds, says of a host that is slower or a switch that shall be given up sooner.
 */
export function switchPatience(environment: NodeJS.ProcessEnv = process.env): number {
  const seconds = Number(environment.SWITCHYARD_SWITCH_PATIENCE);
  return seconds > 0 ? seconds * 1_000 : 30_000;
}
