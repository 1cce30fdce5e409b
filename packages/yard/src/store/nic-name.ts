import { YardError } from "@switchyard/base";
import type { NodeEntry } from "./rows.ts";

/** The lowest `eth<n>` that the node does not have. */
export function nextNic(node: Pick<NodeEntry, "nics"> | undefined): string {
  const names = new Set(node?.nics.map(({ name }) => name));
  let n = 0;
  while (names.has(`eth${n}`)) n++;
  return `eth${n}`;
}

/**
 * What a nic that a node is given is called: as it is asked for, else {@link nextNic}.
 *
 * @throws YardError `nic.name-taken`
 */
export function newNicName(node: Pick<NodeEntry, "name" | "nics">, wanted: string | undefined): string {
  const name = wanted ?? nextNic(node);
  if (node.nics.some((nic) => nic.name === name))
    throw new YardError("nic.name-taken", `node ${node.name} has a nic ${name} already`, {
      hint: `\`yard attach ${node.name} NETWORK --name ${name}\` moves it to another network`,
    });
  return name;
}
