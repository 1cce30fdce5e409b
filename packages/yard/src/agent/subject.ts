/** Whom an action is for: the row that its failure is told in. */
export type Subject =
  | { readonly kind: "network"; readonly network: string }
  | { readonly kind: "link"; readonly link: string }
  /** Of the kernel's own. */
  | { readonly kind: "bridge"; readonly bridge: string }
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "nic"; readonly node: string; readonly nic: string }
  | { readonly kind: "lab"; readonly lab: string }
  | { readonly kind: "yard" };

/**
 * A subject as one line, the `purpose` of what we make: `network lan01`, `nic web eth0`, `yard`. Names hold no blanks,
 * so {@link parsePurpose} reads it back.
 */
export function purposeOf(subject: Subject): string {
  switch (subject.kind) {
    case "network":
      return `network ${subject.network}`;
    case "link":
      return `link ${subject.link}`;
    case "bridge":
      return `bridge ${subject.bridge}`;
    case "node":
      return `node ${subject.node}`;
    case "nic":
      return `nic ${subject.node} ${subject.nic}`;
    case "lab":
      return `lab ${subject.lab}`;
    case "yard":
      return "yard";
  }
}

/** The subject of a purpose; the yard when it is none of ours or was damaged. */
export function parsePurpose(purpose: string): Subject {
  const [kind, first = "", second = ""] = purpose.split(" ");
  switch (kind) {
    case "network":
      return { kind, network: first };
    case "link":
      return { kind, link: first };
    case "bridge":
      return { kind, bridge: first };
    case "node":
      return { kind, node: first };
    case "nic":
      return { kind, node: first, nic: second };
    case "lab":
      return { kind, lab: first };
    default:
      return { kind: "yard" };
  }
}

/** The subject as a person names it: `node web`, `web:eth0`, `network lan01`. */
export function subjectText(subject: Subject): string {
  return subject.kind === "nic" ? `nic ${subject.node}:${subject.nic}` : purposeOf(subject);
}
