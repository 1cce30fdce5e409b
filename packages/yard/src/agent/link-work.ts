import { YardError } from "@switchyard/base";
import { applyLinksInSlices, type LinkFailure, type LinkOp, type NamespaceRef, namespaceKey } from "@switchyard/linux";
import type { Blame } from "./blame.ts";
import type { Site } from "./site.ts";
import type { Subject } from "./subject.ts";

/** Link operations by namespace, and whom each is for. */
export class LinkWork {
  readonly #batches = new Map<string, { namespace: NamespaceRef; ops: LinkOp[] }>();
  readonly #subjects = new Map<LinkOp, Subject>();

  constructor(private readonly site: Site) {}

  /** An operation in the switch's namespace. */
  near(subject: Subject, op: LinkOp): void {
    this.add(subject, this.site.namespace, op);
  }

  add(subject: Subject, namespace: NamespaceRef, op: LinkOp): void {
    const key = namespaceKey(namespace);
    const batch = this.#batches.get(key) ?? { namespace, ops: [] };
    batch.ops.push(op);
    this.#batches.set(key, batch);
    this.#subjects.set(op, subject);
  }

  /** Carries them out, one batch a namespace. */
  async run(blame: Blame): Promise<void> {
    const batches = [...this.#batches.values()];
    const peers = batches.flatMap(({ ops }) => ops.flatMap((op) => farNamespace(op) ?? []));
    this.site.views.forget([...batches.map(({ namespace }) => namespace), ...peers]);
    for (const failure of await applyLinksInSlices(batches)) {
      const subject = this.#subjects.get(failure.op);
      if (subject && !alreadySo(failure)) {
        const message = `${describeOp(failure.op)} was refused: ${failure.message}`;
        const where = failure.errno;
        if (subject.kind === "bridge")
          blame.add(subject, new YardError("bridge.refused", message, { where }), "bridge.refused");
        else blame.add(subject, new YardError("nic.refused", message, { where }), "nic.refused");
      }
    }
  }
}

/** Where else than in its own namespace an operation makes a link. */
function farNamespace(op: LinkOp): NamespaceRef | undefined {
  if (op.op === "veth") return op.peer.namespace;
  return op.op === "macvlan" ? op.namespace : undefined;
}

/** An action may be repeated: what is there already, or is gone already, is success. */
function alreadySo({ op, errno }: LinkFailure): boolean {
  switch (op.op) {
    case "address-add":
    case "route-add":
      return errno === "EEXIST";
    case "delete":
      return errno === "ENODEV";
    case "address-delete":
      return errno === "EADDRNOTAVAIL" || errno === "ENODEV";
    case "route-delete":
      return errno === "ESRCH" || errno === "ENODEV";
    case "veth":
    case "vxlan":
    case "tap":
    case "macvlan":
    case "bridge":
    case "sink":
    case "set":
      return false;
  }
}

function describeOp(op: LinkOp): string {
  switch (op.op) {
    case "veth":
      return `making the nic ${op.peer.name} as port ${op.name}`;
    case "vxlan":
      return `making ${op.name}`;
    case "tap":
      return `making the tap device ${op.name}`;
    case "macvlan":
      return `making ${op.name} on ${op.parent}`;
    case "bridge":
      return `making the bridge ${op.name}`;
    case "sink":
      return `making the spy ${op.name}`;
    case "set":
      return `setting up ${op.name}`;
    case "delete":
      return `removing ${op.name}`;
    case "address-add":
      return `adding the address ${op.address} to ${op.name}`;
    case "address-delete":
      return `removing the address ${op.address} from ${op.name}`;
    case "route-add":
      return `adding the route to ${op.route.to}`;
    case "route-delete":
      return `removing the route to ${op.route.to}`;
  }
}
