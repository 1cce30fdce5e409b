/** Nics on ZeroTier's networks: the process of each node that has such, and what it shall be a member of. */
import { YardError } from "@switchyard/base";
import { canonicalJson, digest } from "../store/canonical.ts";
import type { NetworkEntry, NicEntry, NodeEntry } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./host-facts.ts";
import type { Awaited } from "./lease-deadlines.ts";
import { nodeNamespace, zerotierHome } from "./names.ts";
import type { FileState, MembershipState, ServiceState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** Milliseconds until a member must have an address: a first join goes by way of the root servers. */
const LIMIT = 60_000;

interface ZerotierNic {
  readonly nic: NicEntry;
  readonly nwid: string;
}

export function zerotierNics(node: NodeEntry, networks: ReadonlyMap<string, NetworkEntry>): ZerotierNic[] {
  if (node.spec.kind !== "netns" && node.spec.kind !== "container") return [];
  return node.nics.flatMap((nic) => {
    const network = networks.get(nic.network ?? "");
    return network?.type === "zerotier" ? [{ nic, nwid: network.nwid }] : [];
  });
}

interface Zerotier {
  readonly services: ReadonlyMap<string, ServiceState>;
  readonly memberships: ReadonlyMap<string, MembershipState>;
  readonly files: ReadonlyMap<string, FileState>;
}

/**
 * One zerotier-one a node, in the node's namespace, with a home of its own that is kept while the node has such nics: its
 * identity is there. A nic's name stands in the home's `devicemap`.
 */
export function zerotier(
  nodes: readonly NodeEntry[],
  networks: ReadonlyMap<string, NetworkEntry>,
  facts: HostFacts,
): Zerotier {
  const services = new Map<string, ServiceState>();
  const memberships = new Map<string, MembershipState>();
  const files = new Map<string, FileState>();
  for (const node of nodes) {
    const members = zerotierNics(node, networks);
    const [first] = members;
    if (first === undefined) continue;
    const namespace = nodeNamespace(facts.yard, node.name);
    const folder = zerotierHome(facts.state, node.name);
    const identity = members.map(({ nic }) => nic.identity).find((it) => it !== undefined);
    const purpose = purposeOf({ kind: "nic", node: node.name, nic: first.nic.name });
    // With another identity it is another one.
    const id = `zerotier-${node.objId}-${digest(canonicalJson({ identity }), 6)}`;
    // -U: it need not ask whether it is root; -p0: a UDP port that is free.
    const argv = ["nsenter", `--net=/run/netns/${namespace}`, "zerotier-one", "-U", "-p0", folder];
    services.set(id, { argv, running: true, namespace, program: "zerotier-one", home: { folder, identity }, purpose });
    for (const { nic, nwid } of members)
      memberships.set(membershipKey(node, nwid), {
        namespace,
        home: folder,
        nwid,
        purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
      });
    const text = members.map(({ nic, nwid }) => `${nwid}=${nic.name}\n`).join("");
    files.set(`${folder}/devicemap`, { type: "text", text, bound: false, purpose });
  }
  return { services, memberships, files };
}

export function membershipKey(node: Pick<NodeEntry, "name">, nwid: string): string {
  return `${node.name} ${nwid}`;
}

/** What zerotier-one tells of a membership. */
export interface Membership {
  /** `OK`, `REQUESTING_CONFIGURATION`, `ACCESS_DENIED`, `NOT_FOUND`, … */
  readonly status: string;
  readonly addresses: readonly string[];
}

/** The nics that have no address yet, or never will. */
export function unjoined(
  nodes: readonly NodeEntry[],
  networks: ReadonlyMap<string, NetworkEntry>,
  told: ReadonlyMap<string, Membership>,
): Awaited[] {
  return nodes.flatMap((node) =>
    zerotierNics(node, networks).flatMap(({ nic, nwid }): Awaited[] => {
      const id = membershipKey(node, nwid);
      const membership = told.get(id);
      if (membership?.status === "OK" && membership.addresses.length > 0) return [];
      const refused = membership?.status === "NOT_FOUND" || membership?.status === "ACCESS_DENIED";
      return [
        { id, node: node.name, limit: refused ? 0 : LIMIT, failure: () => notJoined(node, nic, nwid, membership) },
      ];
    }),
  );
}

function notJoined(node: NodeEntry, nic: NicEntry, nwid: string, membership: Membership | undefined): Failure {
  const subject = { kind: "nic", node: node.name, nic: nic.name } as const;
  const what = `the ZeroTier network ${nwid}`;
  const error = (message: string, hint: string) =>
    new YardError("nic.not-joined", `${node.name}:${nic.name}: ${message}`, { hint });
  switch (membership?.status) {
    case "NOT_FOUND":
      return { subject, error: error(`there is no network ${nwid} on ZeroTier`, "correct the network's nwid") };
    case "ACCESS_DENIED":
      return { subject, error: error(`${what} does not let the node in`, "authorise it at the network's controller") };
    case "OK":
      return { subject, error: error(`${what} gave it no address`, "have the network's controller assign one") };
    default:
      return {
        subject,
        error: error(
          `${what} did not answer${membership ? ` (${membership.status})` : ""}`,
          "see that the node reaches ZeroTier's servers, by another nic",
        ),
      };
  }
}
