import type { Action } from "./action.ts";
import { sameList } from "./compare.ts";
import type { Subject } from "./subject.ts";

/** What of a nic its addresses hang on. */
interface Addressed {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
}

/**
 * Plans the addresses of a nic.
 *
 * @param veth its key among veths or links
 * @param present those that it has
 * @returns whether some go, and with them routes
 */
export function planAddresses(
  veth: string,
  { namespace, name, addresses }: Addressed,
  present: readonly string[],
  subject: Subject,
  actions: Action[],
): boolean {
  if (sameList(addresses, present)) return false;
  const gone = present.filter((address) => !addresses.includes(address));
  for (const address of gone) actions.push({ do: "address-delete", veth, namespace, name, address, subject });
  // An IPv4 address takes its secondaries with it (promote_secondaries in ip-sysctl.rst), so all are added again.
  const added = gone.length > 0 ? addresses : addresses.filter((address) => !present.includes(address));
  for (const address of added) actions.push({ do: "address-add", veth, namespace, name, address, subject });
  return gone.length > 0;
}
