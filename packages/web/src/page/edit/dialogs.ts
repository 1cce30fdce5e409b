import type { Impaired } from "./impaired.ts";

/** The dialog that is open: at most one is. */
export type Dialog =
  | { readonly kind: "add-node" }
  | { readonly kind: "add-network" }
  | { readonly kind: "add-lab" }
  | { readonly kind: "add-nic"; readonly node: string }
  | { readonly kind: "wire"; readonly node: string; readonly nic: string }
  | { readonly kind: "attach"; readonly node: string; readonly nic: string }
  | { readonly kind: "impair"; readonly target: Impaired }
  | { readonly kind: "trace"; readonly node: string; readonly nic: string };
