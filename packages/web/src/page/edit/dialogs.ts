/** The dialog that is open: at most one is. */
export type Dialog =
  | { readonly kind: "add-node" }
  | { readonly kind: "add-network" }
  | { readonly kind: "add-lab" }
  | { readonly kind: "add-nic"; readonly node: string }
  | { readonly kind: "wire"; readonly node: string; readonly nic: string }
  | { readonly kind: "attach"; readonly node: string; readonly nic: string }
  /** Of a nic, `node:nic`, or a link by its name. */
  | { readonly kind: "impair"; readonly target: string }
  | { readonly kind: "trace"; readonly node: string; readonly nic: string };
