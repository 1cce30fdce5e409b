import { YardError } from "@switchyard/base";
import { findNicAt, type NicView, type NodeView, type YardView } from "@switchyard/yard/view";

/**
 * The nic that `NODE:NIC` names, by its name or its number.
 *
 * @throws YardError `usage.wrong`, `node.unknown`, `nic.unknown`
 */
export function findNicPath(view: YardView, path: string): { readonly node: NodeView; readonly nic: NicView } {
  return findNicAt(view, parseNicPath(path));
}

/** `NODE:NIC`. @throws YardError `usage.wrong` */
export function parseNicPath(text: string): { readonly node: string; readonly nic: string } {
  const [node, nic, ...rest] = text.split(":");
  if (!node || !nic || rest.length > 0)
    throw new YardError("usage.wrong", `"${text}" does not name a nic`, { hint: "write NODE:NIC, such as web:eth1" });
  return { node, nic };
}
