import { YardError } from "@switchyard/base";
import { checkLinkName, checkNamespaceFile, checkNamespaceName } from "./names.ts";
import type { LinkOp, NamespaceRef } from "./types.ts";

/** @throws YardError `link.bad-name`, `link.bad-value`, `namespace.bad-name` for what must not reach the kernel or a tool */
export function checkLinkOp(op: LinkOp): void {
  switch (op.op) {
    case "veth":
      checkLinkName(op.name);
      checkLinkName(op.peer.name);
      checkNamespaceRef(op.peer.namespace);
      if (op.master !== undefined) checkLinkName(op.master);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      checkAlias(op.peer.alias);
      return;
    case "tap":
      checkLinkName(op.name);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      // The last number, (uid_t)-1, would mean nobody at all.
      if (op.owner !== undefined && !(Number.isInteger(op.owner) && op.owner >= 0 && op.owner < 2 ** 32 - 1))
        throw new YardError("link.bad-value", `${op.owner} is not the number of a user`);
      return;
    case "macvlan":
      checkLinkName(op.name);
      checkLinkName(op.parent);
      if (op.namespace !== undefined) checkNamespaceRef(op.namespace);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      return;
    case "bridge":
      checkLinkName(op.name);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      return;
    case "sink":
      checkLinkName(op.name);
      checkAlias(op.alias);
      return;
    case "set":
      checkLinkName(op.name);
      if (op.master !== undefined && op.master !== "") checkLinkName(op.master);
      if (op.rename !== undefined) checkLinkName(op.rename);
      if (op.namespace !== undefined) checkNamespaceRef(op.namespace);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      return;
    case "vxlan":
      checkLinkName(op.name);
      checkLinkName(op.vxlan.dev);
      checkMtu(op.mtu);
      checkAlias(op.alias);
      if (!(Number.isInteger(op.vxlan.id) && op.vxlan.id >= 0 && op.vxlan.id < 1 << 24))
        throw new YardError("link.bad-value", `a VXLAN identifier of ${op.vxlan.id} is not between 0 and 2^24 - 1`);
      return;
    case "delete":
    case "address-add":
    case "address-delete":
      checkLinkName(op.name);
      return;
    case "route-add":
    case "route-delete":
      if (op.route.dev !== undefined) checkLinkName(op.route.dev);
      return;
  }
}

/** @throws YardError `namespace.bad-name` */
export function checkNamespaceRef(ref: NamespaceRef): void {
  if (ref === "self") return;
  if ("name" in ref) checkNamespaceName(ref.name);
  else if ("path" in ref) checkNamespaceFile(ref.path);
  else if (!Number.isInteger(ref.pid) || ref.pid <= 0)
    throw new YardError("namespace.bad-name", `${ref.pid} is not the number of a process`);
}

function checkMtu(mtu: number | undefined): void {
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535))
    throw new YardError("link.bad-value", `an MTU of ${mtu} is not between 68 and 65535`);
}

/** IFALIASZ is 256 with the NUL. iproute2's batch files are lines. */
function checkAlias(alias: string | undefined): void {
  if (alias === undefined) return;
  if (Buffer.byteLength(alias) > 255) throw new YardError("link.bad-value", "an alias has more than 255 bytes");
  for (const char of alias)
    if (char < " " || char === "\x7f") throw new YardError("link.bad-value", "an alias has a control character");
}
