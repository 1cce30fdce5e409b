import { dissectEthernet } from "./ethernet.ts";
import { type Bytes, CutShort, hexNumber, LayerDraft, type Work } from "./layer.ts";

const HAS_VNI = 0x08;

/** RFC 7348 §5: a header of eight bytes, and then a whole frame. */
export function dissectVxlan(work: Work, bytes: Bytes): void {
  const flags = bytes.u8(0);
  if ((flags & HAS_VNI) === 0) throw new CutShort();
  const draft = new LayerDraft(bytes, "vxlan");
  const vni = bytes.u24(4);
  draft.add("flags", "Flags", flags, 0, 1, hexNumber(flags, 2));
  draft.add("vni", "VNI", vni, 4, 3);
  work.layers.push(draft.done(`VXLAN, VNI ${vni}`, 8));
  work.protocol = "VXLAN";
  dissectEthernet(work, bytes.after(8));
}
