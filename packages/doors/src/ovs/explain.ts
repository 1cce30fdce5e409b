import { YardError } from "@switchyard/base";
import { listNamespaces, type NamespaceRef, namespaceKey, viewNamespaces } from "@switchyard/linux";
import { InterfaceFailure } from "@switchyard/vswitch";
import type { OvsContext } from "./context.ts";

/**
 * Says what the switch's refusal of an interface means: most often the device is not where the switch works.
 *
 * @returns what to throw in its place
 */
export function explain({ place }: OvsContext, thrown: unknown): unknown {
  if (!(thrown instanceof InterfaceFailure) || !/No such device|could not open network device/.test(thrown.reason))
    return thrown;
  const name = thrown.interfaceName;
  const elsewhere = namespacesWith(name, place.namespace);
  const here = namespaceKey(place.namespace);
  const [first] = elsewhere;
  const where = place.namespace === "self" ? "" : ` in ${here}, the namespace of the switch`;
  return new YardError("ovs.no-device", `there is no network device ${name}${where}`, {
    hint:
      first === undefined
        ? `the devices there are listed by: ip ${inNamespace(place.namespace)}link`
        : `it is in ${places(elsewhere)}; ${first === "self" ? "use the host's own switch (--system), or move it" : "move it"}: ip ${inNamespace(first)}link set ${name} netns ${place.namespace === "self" ? "1" : here}`,
    cause: thrown,
  });
}

/** @throws YardError `ovs.bad-type` for a type that the switch does not list */
export function checkType({ db }: OvsContext, type: unknown): void {
  if (typeof type !== "string" || type === "" || type === "system") return;
  const known = db.table("Open_vSwitch").single()?.iface_types ?? new Set<string>();
  // An old switch lists none.
  if (known.size === 0 || known.has(type)) return;
  throw new YardError("ovs.bad-type", `${JSON.stringify(type)} is no type of interface`, {
    hint: `the switch knows ${[...known].sort().join(", ")}`,
  });
}

function namespacesWith(device: string, but: NamespaceRef): NamespaceRef[] {
  const named = listNamespaces().filter((name) => namespaceKey(but) !== name);
  const refs: NamespaceRef[] = [...(but === "self" ? [] : ["self" as const]), ...named.map((name) => ({ name }))];
  try {
    const views = viewNamespaces(refs);
    return refs.filter((ref) => views.get(namespaceKey(ref))?.links.has(device));
  } catch {
    // Only root may look into namespaces; the failure itself stands without this hint.
    return [];
  }
}

/** The first few: where there are many, `eth0` is in nearly all. */
function places(refs: readonly NamespaceRef[]): string {
  const more = refs.length - MOST_PLACES;
  return `${refs.slice(0, MOST_PLACES).map(title).join(" and in ")}${more > 0 ? ` and ${more} more` : ""}`;
}
const MOST_PLACES = 3;

function title(ref: NamespaceRef): string {
  return ref === "self" ? "the host's own namespace" : namespaceKey(ref);
}

/** The option of ip(8) that has it work there, with a blank behind it. */
export function inNamespace(ref: NamespaceRef): string {
  return ref === "self" ? "" : `-n ${namespaceKey(ref)} `;
}
