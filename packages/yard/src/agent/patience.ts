/**
 * Milliseconds that the switch may take for what it was asked for, and for devices that were made anew: 30 s, or what
 * `SWITCHYARD_SWITCH_PATIENCE`, in seconds, says of a host that is slower or a switch that shall be given up sooner.
 */
export function switchPatience(): number {
  return said() ?? 30_000;
}

/** Milliseconds that the host's switch may take to make a bridge, for which an agent's start waits: 8 s, or the same. */
export function systemPatience(): number {
  return said() ?? 8_000;
}

function said(): number | undefined {
  const seconds = Number(process.env.SWITCHYARD_SWITCH_PATIENCE);
  return seconds > 0 ? seconds * 1_000 : undefined;
}
