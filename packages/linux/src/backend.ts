import type { LinkFailure, LinkOp, NamespaceFailure, NamespaceRef, NamespaceView } from "./types.ts";

/** The work that has two ways of being done. */
export interface NetworkBackend {
  createNamespaces(names: readonly string[]): NamespaceFailure[];
  deleteNamespaces(names: readonly string[]): NamespaceFailure[];
  linkWork(): LinkWork;
  viewNamespaces(refs: readonly NamespaceRef[]): Map<string, NamespaceView>;
}

/**
 * Changes of links over many namespaces. What is still to be done to the far ends of new veths is done when their
 * namespace is visited next.
 */
export interface LinkWork extends Disposable {
  /** What failed so far. */
  readonly failures: readonly LinkFailure[];
  /** Does the operations, each whatever became of those before it. */
  visit(namespace: NamespaceRef, ops: readonly LinkOp[]): void;
  /** The namespaces that must be visited once more, be it without operations. */
  owed(): NamespaceRef[];
}
