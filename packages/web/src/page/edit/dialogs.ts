import type { Impaired } from "./impaired.ts";

/** The dialog that is open: at most one is. */
export type Dialog =
  | { readonly kind: "add-node" }
  | { readonly kind: "add-network" }
  | { readonly kind: "add-lab" }
  | { readonly kind: "add-nic"; readonly node: string }
  /** From `node:nic`; undefined: from any. */
  | { readonly kind: "wire"; readonly own: string | undefined }
  | { readonly kind: "attach"; readonly node: string; readonly nic: string }
  | { readonly kind: "impair"; readonly target: Impaired }
  | { readonly kind: "trace"; readonly node: string; readonly nic: string };
