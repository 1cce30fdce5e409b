/** What cloud-init is told of a machine's nics: network configuration of version 2 (cloudinit.readthedocs.io). */
import { family } from "@switchyard/base";
import { stringify } from "yaml";
import type { NicEntry, NodeEntry } from "../store/rows.ts";
import type { Plugged } from "./desire-machine.ts";
import { nodeRoutes } from "./desire-routes.ts";
import type { Networks } from "./network-path.ts";
import { parseRoute } from "./route.ts";

/** cloud-init reads YAML 1.1, to which a MAC of digits alone would be a number of base 60. */
const YAML = { version: "1.1", defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" } as const;

/** Whether a nic has its IPv4 address by DHCP. */
export function isLeased(nic: NicEntry, networks: Networks): boolean {
  const served = nic.network !== undefined && networks.get(nic.network)?.type === "nat";
  return nic.dhcp || (served && nic.addresses.some((address) => family(address) === 4));
}

/** Nics on a nat have their IPv4 address by DHCP, which gives them the one that the store has; so do those that ask for it. */
export function networkConfig(node: NodeEntry, plugged: readonly Plugged[], networks: Networks): string {
  const routes = nodeRoutes(node, networks, new Map()).map(parseRoute);
  const ethernets = plugged.map(({ nic, mtu }) => {
    const network = nic.network === undefined ? undefined : networks.get(nic.network);
    const served = network?.type === "nat";
    const leased = isLeased(nic, networks);
    const own = routes.filter(({ dev }) => dev === nic.name);
    // Only a nat's server is known to tell of the way that the node would take anyway.
    const isWayOut =
      !served || own.some(({ to, via }) => to === "default4" && network?.gateway.some((ip) => ip === via));
    const addresses = nic.addresses.filter((address) => !leased || family(address) === 6);
    const written = own
      .filter(({ to }) => !(leased && isWayOut && to === "default4"))
      .map(({ to, via, metric }) => ({
        to: to === "default4" ? "0.0.0.0/0" : to === "default6" ? "::/0" : to,
        ...(via === undefined ? { scope: "link" } : { via }),
        ...(metric === undefined ? {} : { metric }),
      }));
    return {
      match: { macaddress: nic.mac },
      "set-name": nic.name,
      ...(mtu === 1500 || mtu === 0 ? {} : { mtu }),
      dhcp4: leased,
      ...(leased && !isWayOut ? { "dhcp4-overrides": { "use-routes": false } } : {}),
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(written.length === 0 ? {} : { routes: written }),
      ...(leased || nic.dns.length === 0 ? {} : { nameservers: { addresses: nic.dns } }),
    };
  });
  return stringify(
    {
      version: 2,
      ethernets: Object.fromEntries(ethernets.map((ethernet) => [ethernet["set-name"], ethernet])),
    },
    YAML,
  );
}
