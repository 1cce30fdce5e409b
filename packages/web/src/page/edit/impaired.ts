/** What frames can be impaired on: a nic, a wire, or a line between two networks. */
import { path } from "../api/api.ts";
import type { ImpairView, YardView } from "../api/contract.ts";
import { type ImpairWritten, setImpair, setLinkImpair, setNodeImpair } from "./lab-edit.ts";

export type Impaired =
  | { readonly kind: "nic"; readonly node: string; readonly nic: string }
  /** By its name. */
  | { readonly kind: "link"; readonly link: string }
  /** Of kind a2b. */
  | { readonly kind: "node"; readonly node: string };

export function impairedText(what: Impaired): string {
  switch (what.kind) {
    case "nic":
      return `${what.node}:${what.nic}`;
    case "link":
      return what.link;
    case "node":
      return what.node;
  }
}

/** In the API. */
export function impairedPath(what: Impaired): string {
  switch (what.kind) {
    case "nic":
      return path("nodes", what.node, "nics", what.nic, "impair");
    case "link":
      return path("links", what.link, "impair");
    case "node":
      return path("nodes", what.node, "impair");
  }
}

/** As it is declared; null: not at all. */
export function impairOf({ nodes, links }: Pick<YardView, "nodes" | "links">, what: Impaired): ImpairView | null {
  if (what.kind === "link") return links.find(({ name }) => name === what.link)?.impair ?? null;
  const node = nodes.find(({ name }) => name === what.node);
  const thing = what.kind === "nic" ? node?.nics.find(({ name }) => name === what.nic) : node;
  return thing?.impair ?? null;
}

/** The lab that it belongs to; undefined: none. */
export function labOf({ nodes, links }: Pick<YardView, "nodes" | "links">, what: Impaired): string | undefined {
  const owner =
    what.kind === "link" ? links.find(({ name }) => name === what.link) : nodes.find(({ name }) => name === what.node);
  return owner?.lab ?? undefined;
}

/** What the two ways are called: the first is `forward`. */
export function waysOf({ nodes }: Pick<YardView, "nodes">, what: Impaired): readonly [string, string] {
  if (what.kind === "nic") return ["What it sends", "What it gets"];
  if (what.kind === "link") {
    const [one = "", other = ""] = what.link.split("--");
    return [`From ${one}`, `From ${other}`];
  }
  const nics = nodes.find(({ name }) => name === what.node)?.nics ?? [];
  const [one, other] = nics.map(({ network, name }) => `From ${network ?? name}`);
  return [one ?? "Forward", other ?? "Backward"];
}

/** The lab file with it impaired so. */
export function withImpair(text: string, what: Impaired, impair: ImpairWritten): string {
  switch (what.kind) {
    case "nic":
      return setImpair(text, what, impair);
    case "link":
      return setLinkImpair(text, what.link, impair);
    case "node":
      return setNodeImpair(text, what.node, impair);
  }
}
