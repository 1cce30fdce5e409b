/**
 * NICs of the host's that become nics of nodes, and come back as they were. What one was is written into its own alias,
 * which it keeps wherever it goes: when the agent dies, when its namespace dies under it, and where no database is left.
 */
import { type Mac, parseMac, YardError } from "@switchyard/base";
import { applyLinks, type LinkFailure, type LinkOp, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import { digest } from "../store/canonical.ts";
import { formatAlias, parseAlias } from "./mark.ts";

/** What a NIC was like on the host, and whose it is now. */
export interface PassedNic {
  /** The name that its port would have, see `State.links`. */
  readonly link: string;
  readonly name: string;
  readonly mac: Mac;
  /** Bytes. */
  readonly mtu: number;
  readonly up: boolean;
  readonly alias: string;
}

/** How the alias of a NIC begins while it is a node's. */
export const PASSED = "passthrough ";

/** IFALIASZ is 256 with the NUL. */
const MOST = 255;

/** The alias of a NIC while it is a node's. @throws YardError `nic.parent-in-use` where its own alias leaves no room */
export function formatPassed(yard: string, { link, name, mac, mtu, up, alias }: PassedNic): string {
  const state = up ? "up" : "down";
  const text = formatAlias(yard, [PASSED.trimEnd(), link, name, mac, mtu, state, alias].join(" ").trimEnd());
  if (Buffer.byteLength(text) <= MOST) return text;
  throw new YardError("nic.parent-in-use", `the alias of ${name} is so long that there is no room to mark it`, {
    hint: `shorten it: ip link set ${name} alias …`,
  });
}

/** What the alias of a NIC tells of it; undefined where it is no node's of this yard. */
export function parsePassed(yard: string, alias: string): PassedNic | undefined {
  const text = parseAlias(yard, alias);
  if (!text?.startsWith(PASSED)) return undefined;
  const [link = "", name = "", mac = "", mtu = "", state, ...own] = text.slice(PASSED.length).split(" ");
  try {
    return { link, name, mac: parseMac(mac), mtu: Number(mtu), up: state === "up", alias: own.join(" ") };
  } catch {
    return undefined;
  }
}

/** Where a NIC is to go, and what it shall be like there; what is undefined stays as it is. */
export interface Destination {
  readonly namespace: NamespaceRef;
  readonly name: string;
  readonly mac: Mac | undefined;
  readonly mtu: number | undefined;
}

/** Marks a NIC of the host's and moves it. @throws YardError `nic.parent-in-use`, `nic.refused` */
export function takeNic(yard: string, nic: PassedNic, { namespace, name, mac, mtu }: Destination): void {
  // The mark comes first: from then on, whatever happens, it can be put back.
  act(nic, "self", [{ op: "set", name: nic.name, alias: formatPassed(yard, nic) }]);
  const settings = { ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu }) };
  act(nic, "self", [{ op: "set", name: nic.name, up: false }]);
  act(nic, "self", [{ op: "set", name: nic.name, namespace, rename: name, up: true, ...settings }]);
}

/**
 * Gives a NIC back to the host as it was.
 *
 * @param at where it is now, and what it is called there
 * @throws YardError `nic.name-lost`: the host has another link of its name by now, so it has another one until that goes;
 * `nic.refused`
 */
export function returnNic(
  yard: string,
  nic: PassedNic,
  at: { readonly namespace: NamespaceRef; readonly name: string },
): void {
  const { name, mac, mtu, up, alias } = nic;
  if (at.namespace !== "self" || at.name !== name) {
    act(nic, at.namespace, [{ op: "set", name: at.name, up: false }]);
    const moved = (rename: string): LinkOp => ({
      op: "set",
      name: at.name,
      rename,
      ...(at.namespace === "self" ? {} : { namespace: "self" }),
    });
    const [taken] = applyLinks([{ namespace: at.namespace, ops: [moved(name)] }]);
    if (taken?.errno === "EEXIST") {
      const spare = `yp${digest(nic.link + name, 12)}`;
      // It may have come under the name that it had, as the kernel renames a link only after it has moved it.
      const isHere = [...viewNamespace("self").links.values()].some(
        (link) => parsePassed(yard, link.alias)?.link === nic.link,
      );
      if (!isHere) act(nic, at.namespace, [moved(spare)]);
      throw new YardError("nic.name-lost", `${name} came back to a host that has another link of that name by now`, {
        hint: `rename that other one; ${name} is called ${isHere ? at.name : spare} until then`,
      });
    }
    if (taken !== undefined) throw refused(nic, taken);
  }
  act(nic, "self", [
    // A switch that had it for a port has it take all frames.
    { op: "set", name, up: false, promisc: false },
    { op: "set", name, mac, mtu },
    { op: "set", name, up },
  ]);
  // Last, as without it nobody knows any more what is left to do.
  act(nic, "self", [{ op: "set", name, alias }]);
}

function act(nic: PassedNic, namespace: NamespaceRef, ops: readonly LinkOp[]): void {
  const [failure] = applyLinks([{ namespace, ops }]);
  if (failure !== undefined) throw refused(nic, failure);
}

function refused({ name }: PassedNic, { errno, message }: LinkFailure): YardError {
  return new YardError("nic.refused", `the kernel refused to move the NIC ${name}: ${message}`, { where: errno });
}
