/** Guests and their nics, as doors declare them for the programs that run the containers. */
import type { GuestSpec, NicSpec } from "./types.ts";

/** @param given what the program says of its container */
export function guestSpec(
  name: string,
  nics: readonly NicSpec[],
  given: Pick<GuestSpec, "engine" | "container" | "plugs">,
): GuestSpec {
  const none = { routes: [], sysctls: {}, env: {}, ports: [], exec: [] };
  return { kind: "guest", runtime: "docker", name, nics, ...none, ...given };
}

/** A nic that the program gives all else to. */
export function guestNic(given: Pick<NicSpec, "name" | "network" | "ip" | "slot" | "mac" | "spy" | "mtu">): NicSpec {
  const none = { link: undefined, gateway: undefined, vlan: undefined, impair: undefined, identity: undefined };
  return { ...none, dhcp: false, monitor: false, dns: [], trunks: [], routes: [], ...given };
}
