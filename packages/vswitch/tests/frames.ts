import { join } from "node:path";
import { run } from "@switchyard/base";

const PROGRAM = join(import.meta.dir, "frames.py");

export const A = "020000000001";
export const B = "020000000002";

/** What became of each frame, which is in hexadecimal without padding, on its way from `eth0` of a namespace; lost is what has not come after `patience` seconds. */
export async function passes(
  from: string,
  to: string,
  frames: ReadonlyMap<string, string>,
  options: { readonly device?: string; readonly patience?: number } = {},
): Promise<Map<string, string>> {
  if (frames.size === 0) return new Map();
  const { device = "eth0", patience = 4 } = options;
  const sent = [...frames.values()].map(
    (frame, i) => `${frame}${"00".repeat(32)}${(0x5359_0000 + i).toString(16).padStart(32, "0")}`,
  );
  const output = await run(["python3", PROGRAM, from, "eth0", to, device, String(patience)], {
    input: `${sent.join("\n")}\n`,
  });
  const got = output.trim().split("\n");
  return new Map(
    [...frames.keys()].map((name, i) => {
      const line = got[i] ?? "lost";
      return [name, line === sent[i] ? "passed" : line === "lost" ? "lost" : line.slice(24, 40)];
    }),
  );
}

/** What may come by on a wire; the wire's own affairs are no business of the switch. */
export const KINDS: ReadonlyMap<string, string> = new Map([
  ["an IPv4 packet", `${B}${A}0800`],
  ["the same addresses the other way round", `${A}${B}0800`],
  ["source and destination alike", `${A}${A}0800`],
  ["LLDP", `0180c200000e${A}88cc`],
  ["LACP", `0180c2000002${A}8809`],
  ["a spanning tree's BPDU", `0180c2000000${A}0026424203`],
  ["PVST+", `01000ccccccd${A}0032aaaa0300000c010b`],
  ["a pause frame", `0180c2000001${A}8808`],
  ["EAPOL", `0180c2000003${A}888e`],
  ["a broadcast", `ffffffffffff${A}0806`],
  ["a multicast source", `${B}0300000000010800`],
  ["VLAN 5", `${B}${A}810000050800`],
  ["VLAN 5 with priority 7", `${B}${A}8100e0050800`],
  ["VLAN 4095", `${B}${A}81000fff0800`],
  ["a priority tag", `${B}${A}8100a0000800`],
  ["an empty tag", `${B}${A}810000000800`],
  ["an 802.1ad tag", `${B}${A}88a800050800`],
  ["802.1ad around 802.1Q", `${B}${A}88a80005810000060800`],
  ["three tags", `${B}${A}88a8000588a80007810000060800`],
  ["LLDP in VLAN 5", `0180c200000e${A}8100000588cc`],
  ["MPLS", `${B}${A}884700001140`],
]);
