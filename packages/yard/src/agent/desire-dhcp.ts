/** Nics that get their addresses by DHCP: the client of each, and what a lease makes of a nic. */
import { family, YardError } from "@switchyard/base";
import { portName } from "@switchyard/vswitch";
import { canonicalJson, digest } from "../store/canonical.ts";
import type { NicEntry, NodeEntry } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./host-facts.ts";
import type { Awaited } from "./lease-deadlines.ts";
import { type Lease, NOBODY } from "./leases.ts";
import { dhcpFolder, leasesFolder, nodeNamespace } from "./names.ts";
import type { FileState, ServiceState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** Milliseconds that a server may take to give a nic an address; dnsmasq(8) spends three seconds on a ping first. */
const LIMIT = 20_000;

/** What a client may do: see raw frames, as it has no address yet, and hold the port of DHCP. */
const CAPABILITIES = "-all,+net_raw,+net_bind_service";

/** What a client was granted is good until it expires, whatever becomes of that client. */
const FORGET_EXPIRED = `expires=0
[ ! -e "$LEASE" ] || while read -r key value; do [ "$key" != expires ] || expires=$value; done <"$LEASE"
[ "$expires" -gt "$(($(date +%s) + 2))" ] || rm -f "$LEASE"
`;

/**
 * What udhcpc(8) runs at an event: it calls `sh <event>` in the folder that these are in. The lease is left in the file
 * that the environment names. The agent does what it says, so that there is one who sets addresses and routes.
 */
const EVENTS: Readonly<Record<string, string>> = {
  bound: `umask 022
printf '%s\\n' "address $ip/$mask" "server $serverid" "gateway $router" "dns $dns" \\
  "expires $(($(date +%s) + lease))" >"$LEASE.new" && mv "$LEASE.new" "$LEASE"
`,
  // It also comes at the client's start, and up to half a minute before the end of a lease that nobody renews.
  deconfig: FORGET_EXPIRED,
  nak: 'rm -f "$LEASE"\n',
  // A round of asking was in vain.
  leasefail: FORGET_EXPIRED,
};

/** The id of a nic's client, which is also the name of its lease. On another segment it is another client. */
export function dhcpClientId(
  node: Pick<NodeEntry, "objId">,
  nic: Pick<NicEntry, "index" | "network" | "link" | "vlan" | "mac">,
): string {
  const { index, network, link, vlan, mac } = nic;
  return `dhcp-${portName(node.objId, index)}-${digest(canonicalJson({ network, link, vlan, mac }), 6)}`;
}

/** Whether a nic has a client in its node's namespace, which only what we run has. */
function hasClient({ spec }: NodeEntry, nic: NicEntry): boolean {
  return nic.dhcp && (spec.kind === "netns" || spec.kind === "container");
}

/** The nics that have a client in their node's namespace. */
function* dhcpNics(nodes: readonly NodeEntry[]): Generator<{ node: NodeEntry; nic: NicEntry; id: string }> {
  for (const node of nodes)
    for (const nic of node.nics) if (hasClient(node, nic)) yield { node, nic, id: dhcpClientId(node, nic) };
}

/**
 * The clients, by id: udhcpc of busybox, which renews its lease, and begins anew when that is lost, for as long as it
 * runs. It lives in the node's namespace with the host's files.
 */
export function dhcpClients(nodes: readonly NodeEntry[], facts: HostFacts): Map<string, ServiceState> {
  const clients = new Map<string, ServiceState>();
  for (const { node, nic, id } of dhcpNics(nodes)) {
    const namespace = nodeNamespace(facts.yard, node.name);
    const argv = [
      ...["nsenter", `--net=/run/netns/${namespace}`],
      ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--no-new-privs"],
      ...[`--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`, `--bounding-set=${CAPABILITIES}`],
      ...["env", `--chdir=${dhcpFolder(facts.run)}`, `LEASE=${leasesFolder(facts.run)}/${id}`],
      ...["busybox", "udhcpc", "-f", "-R", "-s", "/bin/sh", "-i", nic.name],
      ...["-t", "4", "-T", "3", "-A", "2", "-x", `hostname:${node.name}`],
    ];
    const purpose = purposeOf({ kind: "nic", node: node.name, nic: nic.name });
    clients.set(id, { argv, running: true, namespace, program: "busybox", purpose });
  }
  return clients;
}

/** The files that clients run at events; none where there are no clients. */
export function* dhcpFiles(
  clients: ReadonlyMap<string, ServiceState>,
  facts: HostFacts,
): Generator<[string, FileState]> {
  if (clients.size === 0) return;
  const folder = dhcpFolder(facts.run);
  for (const [event, text] of Object.entries(EVENTS))
    yield [`${folder}/${event}`, { type: "text", text, bound: false, purpose: "yard" }];
  yield [`${folder}/renew`, { type: "symlink", target: "bound", purpose: "yard" }];
}

/**
 * The nodes with the addresses and name servers that their nics have been granted. What a nic names itself wins; an IPv4
 * address that a network keeps for it is not its own before a server has given it.
 */
export function withLeases(nodes: readonly NodeEntry[], leases: ReadonlyMap<string, Lease>): readonly NodeEntry[] {
  return nodes.map((node) => {
    if (!node.nics.some((nic) => hasClient(node, nic))) return node;
    return {
      ...node,
      nics: node.nics.map((nic) => (hasClient(node, nic) ? leased(nic, leases.get(dhcpClientId(node, nic))) : nic)),
    };
  });
}

function leased(nic: NicEntry, lease: Lease | undefined): NicEntry {
  const others = nic.addresses.filter((address) => family(address) === 6);
  if (lease === undefined) return { ...nic, addresses: others };
  return { ...nic, addresses: [lease.address, ...others], dns: nic.dns.length > 0 ? nic.dns : lease.dns };
}

/** The nics that no server has answered. */
export function unleased(nodes: readonly NodeEntry[], leases: ReadonlyMap<string, Lease>): Awaited[] {
  return [...dhcpNics(nodes)]
    .filter(({ id }) => !leases.has(id))
    .map(({ node, nic, id }) => ({ id, node: node.name, limit: LIMIT, failure: () => noLease(node, nic) }));
}

function noLease(node: NodeEntry, nic: NicEntry): Failure {
  const where = nic.network === undefined ? `link ${nic.link ?? ""}` : `network ${nic.network}`;
  const message = `no DHCP server has given ${node.name}:${nic.name} an address on ${where}`;
  const hint = "see that a server with free addresses is on it; the client goes on asking";
  return {
    subject: { kind: "nic", node: node.name, nic: nic.name },
    error: new YardError("nic.no-lease", message, { hint }),
  };
}
