import { bench } from "../packages/doors/bench/vhostuser.ts";
import { type Figure, median } from "./figure.ts";

/** Packets between two vhost-user ports: a rate of this machine's, with nothing to compare it with. */
export async function vhostuser(): Promise<Figure[]> {
  const runs = await bench();
  return [
    {
      case: "vhostuser",
      name: "64-byte packets between two vhost-user ports, one core for the switch",
      unit: "1/s",
      value: median(runs),
      runs,
    },
  ];
}
