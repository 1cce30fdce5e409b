/** What the words of `cloonix_cli` mean. */
import type { FilePart, Setting } from "@switchyard/yard/model";

/** What `add` and `del` know, but for lans. */
export const ITEMS = ["kvm", "cru", "zip", "cvm", "doc", "pod", "tap", "phy", "nat", "a2b", "c2c"] as const;
export type Item = (typeof ITEMS)[number];

/** A port as the commands name it: an item, and the number of one of its interfaces. */
export interface Place {
  readonly item: string;
  readonly num: number;
}

/** An item as a lab file has it. */
export interface Addition {
  readonly name: string;
  readonly node: FilePart;
  /** The number of the nic that gets a nat and a lan of its own (`--natplug=`). */
  readonly natplug?: number;
}

export type CloonixCommand =
  | ({ readonly do: "add" } & Addition)
  | ({ readonly do: "plug" | "unplug"; readonly lan: string } & Place)
  /** Any kind, where none is named. */
  | { readonly do: "delete"; readonly name: string; readonly item: Item | undefined }
  | { readonly do: "delete-all" }
  | ({ readonly do: "spy"; readonly on: boolean } & Place)
  | {
      readonly do: "impair";
      readonly name: string;
      /** 0: from the first side to the second. */
      readonly dir: 0 | 1;
      readonly setting: Setting;
      /** As a lab file has it. */
      readonly value: string;
    }
  | { readonly do: "rstp"; readonly lan: string; readonly on: boolean }
  | { readonly do: "impairment"; readonly name: string }
  | { readonly do: "lease"; readonly nat: string; readonly node: string }
  | { readonly do: "list" | "dump" }
  /** Where the net is kept. */
  | { readonly do: "config" }
  /** Another verb of `yard`: with `ok` this is answered in place of what that prints. */
  | { readonly do: "yard"; readonly argv: readonly string[]; readonly ok?: string };
