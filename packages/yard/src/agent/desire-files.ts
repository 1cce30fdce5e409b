import { addressOf } from "@switchyard/base";
import type { NodeEntry } from "../store/rows.ts";
import type { HostFacts } from "./host-facts.ts";
import { commonFolder, hostsFile, nodeNamespace, resolverFile } from "./names.ts";
import type { FileState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** One hosts file for each lab, in which all of its nodes are. */
export function* labFiles(nodes: readonly NodeEntry[], facts: HostFacts): Generator<[path: string, file: FileState]> {
  for (const [lab, members] of Map.groupBy(nodes, (node) => node.lab)) {
    const purpose = purposeOf(lab === undefined ? { kind: "yard" } : { kind: "lab", lab });
    yield [hostsFile(facts.run, lab), { type: "text", text: hostsText(members), bound: true, purpose }];
  }
}

/**
 * A node's own files. A bare namespace finds them where `ip netns exec` looks (ip-netns(8)); a container binds them.
 * One that has none of its own has a link to what all have: a folder for each of a thousand costs a disk's journal a while.
 */
export function* nodeFiles(node: NodeEntry, facts: HostFacts): Generator<[path: string, file: FileState]> {
  // It has files of its own; cloud-init tells it of names.
  if (node.spec.kind === "vm") return;
  const purpose = purposeOf({ kind: "node", node: node.name });
  const servers = [...new Set(node.nics.flatMap((nic) => nic.dns))];
  const resolver = servers.map((ip) => `nameserver ${ip}\n`).join("");
  if (node.spec.kind === "container") {
    if (bindsResolver(node))
      yield [resolverFile(facts.run, node.name), { type: "text", text: resolver, bound: true, purpose }];
    return;
  }
  if (node.spec.kind === "guest") return;
  const folder = `/etc/netns/${nodeNamespace(facts.yard, node.name)}`;
  if (servers.length === 0) {
    yield [folder, { type: "symlink", target: commonFolder(facts.run, node.lab), purpose }];
    return;
  }
  yield [`${folder}/hosts`, { type: "symlink", target: hostsFile(facts.run, node.lab), purpose }];
  yield [`${folder}/resolv.conf`, { type: "text", text: resolver, bound: true, purpose }];
}

/** Whether a container has our resolv.conf from its start on. A lease may bring servers later, and others. */
export function bindsResolver(node: NodeEntry): boolean {
  return node.nics.some(({ dns, dhcp }) => dns.length > 0 || dhcp);
}

/** hosts(5): the loopback names, then every address of every node; a node's IPv4 addresses stand before its others. */
function hostsText(nodes: readonly NodeEntry[]): string {
  return `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${nodes.map(hostsLines).join("")}`;
}

const lines = new WeakMap<NodeEntry, string>();

function hostsLines(node: NodeEntry): string {
  const known = lines.get(node);
  if (known !== undefined) return known;
  const all = node.nics.flatMap((nic) => nic.addresses.map(addressOf));
  const ordered = all.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
  const text = ordered.map((ip) => `${ip} ${node.name}\n`).join("");
  lines.set(node, text);
  return text;
}
