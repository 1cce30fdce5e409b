/** Nodes of kind c2c that lead to another host encrypted: VXLAN of the kernel's own in WireGuard. */
import { existsSync } from "node:fs";
import { asYardError, YardError } from "@switchyard/base";
import { VXLAN_OVERHEAD } from "@switchyard/vswitch";
import type { C2cSpec } from "../model/types.ts";
import { canonicalJson } from "../store/canonical.ts";
import type { NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./host-facts.ts";
import { switchNamespace, tunnelDevice } from "./names.ts";
import type { ServiceState, VtepState } from "./state.ts";
import { purposeOf } from "./subject.ts";
import type { TunnelConfig } from "./tunnel.ts";
import { ensureTunnelKey, innerAddress, publicKeyOf, TUNNEL_MTU, tunnelKeyFile } from "./tunnel-key.ts";

/** UDP within the tunnel; that of VXLAN is the switch's own where it has tunnels in the kernel. */
const INNER_PORT = 8472;
/** What the networks that such a node is on have room for. */
export const ENCRYPTED_MTU = TUNNEL_MTU - VXLAN_OVERHEAD[6];

/** Where a node leads that does so encrypted. */
export type Encrypted = Extract<C2cSpec["to"], { type: "vxlan" }> & {
  readonly encrypt: NonNullable<Extract<C2cSpec["to"], { type: "vxlan" }>["encrypt"]>;
};

export function isEncrypted(to: C2cSpec["to"]): to is Encrypted {
  return to.type === "vxlan" && to.encrypt !== undefined;
}

/** The WireGuard device of such a node. */
export function encryptedDevice(yard: string, node: string, { peer, encrypt }: Encrypted): string {
  return tunnelDevice(yard, node, canonicalJson({ peer, ...encrypt }));
}

/** Those whose other end is said to have this yard's own key, and all of them where that is damaged. */
export function tunnelFailures(rows: Rows, facts: Pick<HostFacts, "host" | "state">): Failure[] {
  const encrypted = rows.nodes.flatMap(({ name, host, spec }) =>
    host === facts.host && spec.kind === "c2c" && isEncrypted(spec.to) ? [{ name, key: spec.to.encrypt.key }] : [],
  );
  const file = tunnelKeyFile(facts.state);
  if (encrypted.length === 0 || !existsSync(file)) return [];
  const failed = ({ name }: { readonly name: string }, error: YardError): Failure => ({
    subject: { kind: "node", node: name },
    error,
  });
  try {
    const own = publicKeyOf(ensureTunnelKey(file));
    const error = new YardError("c2c.own-key", `${own} is the public key of this yard itself`, {
      hint: "write what `yard key` tells on the other host",
    });
    return encrypted.filter(({ key }) => key === own).map((node) => failed(node, error));
  } catch (error) {
    return encrypted.map((node) => failed(node, asYardError(error)));
  }
}

/** The processes that keep the WireGuard devices, by id. */
export function* tunnels(nodes: readonly NodeEntry[], facts: HostFacts): Generator<[string, ServiceState]> {
  const namespace = switchNamespace(facts.yard);
  for (const { name, objId, host, spec } of nodes) {
    if (host !== facts.host || spec.kind !== "c2c" || !isEncrypted(spec.to)) continue;
    const { peer: address, encrypt } = spec.to;
    const keyFile = tunnelKeyFile(facts.state);
    const device = encryptedDevice(facts.yard, name, spec.to);
    const config: TunnelConfig = { device, keyFile, address, ...encrypt };
    const inside = namespace === undefined ? [] : ["nsenter", `--net=/run/netns/${namespace}`];
    yield [
      `tunnel-${objId}`,
      {
        argv: [...inside, ...facts.executable, "tunnel", JSON.stringify(config)],
        running: true,
        namespace,
        program: facts.wireguard === "kernel" ? "wg" : "wireguard-go",
        purpose: purposeOf({ kind: "node", node: name }),
      },
    ];
  }
}

/** The VXLAN device in such a tunnel; undefined until that is there. */
export function encryptedVtep(
  node: NodeEntry,
  to: Encrypted,
  mtu: number,
  purpose: string,
  facts: HostFacts,
): VtepState | undefined {
  const lower = encryptedDevice(facts.yard, node.name, to);
  if (!facts.ownLinks.has(lower)) return undefined;
  const remote = innerAddress(to.encrypt.key);
  return { lower, remote, id: to.id, port: INNER_PORT, mtu: Math.min(mtu, ENCRYPTED_MTU), up: true, purpose };
}
