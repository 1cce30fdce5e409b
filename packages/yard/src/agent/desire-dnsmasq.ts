/** The process that gives out addresses and resolves names on a network of type nat. */
import { addressOf, family, networkOf, prefixOf } from "@switchyard/base";
import type { NetworkEntry, NodeEntry } from "../store/rows.ts";
import type { HostFacts } from "./desire.ts";
import { dnsmasqFolder, gatewayDevice } from "./names.ts";
import type { FileState, ServiceState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** What serves one network: the process, by its id, and the files that it follows. */
export interface Dnsmasq {
  readonly id: string;
  readonly service: ServiceState;
  readonly files: ReadonlyMap<string, FileState>;
}

/**
 * dnsmasq(8) on the gateway's device and nowhere else, without its privileges once it has its sockets. It gives a nic
 * the address that the store has for its MAC, and no other; the host's own resolv.conf tells it whom to ask for names
 * that are not the nodes'.
 */
export function dnsmasq(network: NetworkEntry, nodes: readonly NodeEntry[], facts: HostFacts): Dnsmasq {
  const device = gatewayDevice(facts.yard, network.name);
  const purpose = purposeOf({ kind: "network", network: network.name });
  const folder = dnsmasqFolder(facts.run, device);
  const nics = nodes.flatMap((node) =>
    node.nics.flatMap((nic) =>
      nic.network !== network.name
        ? []
        : nic.addresses
            .filter((address) => family(address) === 4)
            .map((address) => ({ mac: nic.mac, ip: addressOf(address), name: node.name })),
    ),
  );
  const text = (lines: readonly string[]): FileState => ({
    type: "text",
    text: lines.map((line) => `${line}\n`).join(""),
    // It follows the folders by inotify(7): a file that is written in place is read once.
    bound: true,
    purpose,
  });
  const ranges = network.cidr.flatMap((cidr) =>
    family(cidr) === 4 ? [`--dhcp-range=${addressOf(networkOf(cidr))},static,${netmask(prefixOf(cidr))}`] : [],
  );
  return {
    id: `dnsmasq-${device}`,
    service: {
      argv: [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--log-facility=-",
        "--user=nobody",
        "--group=nogroup",
        `--interface=${device}`,
        "--except-interface=lo",
        "--bind-dynamic",
        "--no-hosts",
        "--domain-needed",
        "--bogus-priv",
        "--leasefile-ro",
        "--dhcp-authoritative",
        // Who has an address is in the store: to ask the network takes three seconds.
        "--no-ping",
        ...ranges,
        `--dhcp-hostsdir=${folder}/dhcp`,
        `--hostsdir=${folder}/names`,
      ],
      running: true,
      namespace: undefined,
      purpose,
    },
    files: new Map([
      [`${folder}/dhcp/nics`, text(nics.map(({ mac, ip }) => `${mac},${ip}`))],
      [`${folder}/names/nodes`, text(nics.map(({ ip, name }) => `${ip} ${name}`))],
    ]),
  };
}

function netmask(prefix: number): string {
  return [0, 1, 2, 3].map((byte) => 256 - 2 ** (8 - Math.min(Math.max(prefix - 8 * byte, 0), 8))).join(".");
}
