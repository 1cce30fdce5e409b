import { dissectEthernet } from "./ethernet.ts";
import { Bytes, CutShort, type Dissection, type Work } from "./layer.ts";

/** Takes an Ethernet frame apart. What is cut short or unknown is told as far as it goes; nothing is thrown. */
export function dissect(frame: Uint8Array): Dissection {
  const bytes = new Bytes(frame);
  const work: Work = { bytes, layers: [], source: "", destination: "", protocol: "?", info: "" };
  try {
    dissectEthernet(work, bytes);
  } catch (error) {
    if (!(error instanceof CutShort)) throw error;
    work.info = `${work.info === "" ? `${frame.length} bytes` : work.info} (cut short)`;
  }
  const { layers, source, destination, protocol, info } = work;
  return { layers, source, destination, protocol, info };
}
