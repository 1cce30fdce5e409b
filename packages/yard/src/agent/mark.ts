/** How what we make says whose it is. OVS rows bear `external_ids:switchyard-owner` (see the vswitch room). */

/** Labels of engine containers. */
export const LABEL_OWNER = "switchyard.owner";
export const LABEL_NODE = "switchyard.node";
/** Of a virtual machine: the milliseconds that it gets for shutting down before it is switched off. */
export const LABEL_GRACE = "switchyard.grace";
export const LABEL_FINGERPRINT = "switchyard.fingerprint";
/** The name in `/run/netns` that the container's namespace has. */
export const LABEL_NAMESPACE = "switchyard.namespace";

/** The alias of a link of ours: the yard, and what it is for (near end) or which port it belongs to (far end). */
export function formatAlias(yard: string, text: string): string {
  return `switchyard:${yard}:${text}`;
}

/** Whether a link is any yard's. */
export function isMarked(alias: string): boolean {
  return alias.startsWith("switchyard:");
}

/** The text of an alias of this yard; undefined for any other link. */
export function parseAlias(yard: string, alias: string): string | undefined {
  const mark = `switchyard:${yard}:`;
  return alias.startsWith(mark) ? alias.slice(mark.length) : undefined;
}
