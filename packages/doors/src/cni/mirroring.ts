/** `"type": "ovs-mirror-producer"` and `"ovs-mirror-consumer"`: ovs-cni's plugins behind one that made a nic. */
import type { PluginType } from "./config.ts";
import type { Fields } from "./fields.ts";

/** What a port has to do with mirrors: its frames are copied, or it gets the copies. */
export type Mirroring =
  | { readonly role: "producer"; readonly mirrors: readonly ProducedMirror[] }
  | { readonly role: "consumer"; readonly mirrors: readonly { readonly name: string }[] };

export interface ProducedMirror {
  readonly name: string;
  /** Frames that come from the port (Mirror.select_src_port). */
  readonly ingress: boolean;
  /** Frames that go to it (Mirror.select_dst_port). */
  readonly egress: boolean;
}

/** @returns undefined for plugins that make nics */
export function readMirroring(type: PluginType, config: Fields): Mirroring | undefined {
  switch (type) {
    case "switchyard":
    case "ovs":
    case "userspace":
      return undefined;
    case "ovs-mirror-producer":
      return { role: "producer", mirrors: readMirrors(config, true) };
    case "ovs-mirror-consumer":
      return { role: "consumer", mirrors: readMirrors(config, false) };
  }
}

function readMirrors(config: Fields, produced: boolean): ProducedMirror[] {
  const items = config.objects("mirrors");
  if (items.length === 0) config.wrong("mirrors", "is empty: which mirrors the port has to do with");
  return items.map((item) => {
    const name = item.string("name");
    if (name === undefined) item.wrong("name", "is missing");
    const ingress = item.boolean("ingress") ?? false;
    const egress = item.boolean("egress") ?? false;
    if (produced && !ingress && !egress) item.wrong("ingress", "or egress has to be true");
    return { name: name ?? "", ingress, egress };
  });
}
