import { type Bytes, hexNumber, LayerDraft, type Work } from "./layer.ts";

/** IANA's registry "ICMP Parameters". */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0, "Echo reply"],
  [3, "Destination unreachable"],
  [5, "Redirect"],
  [8, "Echo request"],
  [11, "Time exceeded"],
  [12, "Parameter problem"],
]);
const UNREACHABLE: ReadonlyMap<number, string> = new Map([
  [0, "network"],
  [1, "host"],
  [2, "protocol"],
  [3, "port"],
  [4, "fragmentation needed"],
  [13, "prohibited"],
]);
/** IANA's registry "ICMPv6 Parameters". */
const TYPES_V6: ReadonlyMap<number, string> = new Map([
  [1, "Destination unreachable"],
  [2, "Packet too big"],
  [3, "Time exceeded"],
  [4, "Parameter problem"],
  [128, "Echo request"],
  [129, "Echo reply"],
  [130, "Multicast listener query"],
  [131, "Multicast listener report"],
  [132, "Multicast listener done"],
  [133, "Router solicitation"],
  [134, "Router advertisement"],
  [135, "Neighbour solicitation"],
  [136, "Neighbour advertisement"],
  [137, "Redirect"],
  [143, "Multicast listener report v2"],
]);

/** RFC 792. */
export function dissectIcmp(work: Work, bytes: Bytes): void {
  const type = bytes.u8(0);
  const name = TYPES.get(type) ?? `Type ${type}`;
  const echo = type === 0 || type === 8;
  const code = bytes.u8(1);
  const detail = type === 3 ? UNREACHABLE.get(code) : undefined;
  work.layers.push(icmpLayer(bytes, { key: "icmp", name, title: `ICMP, ${name.toLowerCase()}`, echo }));
  work.protocol = "ICMP";
  work.info = echo ? `${name}, ${echoText(bytes)}` : detail === undefined ? name : `${name} (${detail})`;
}

/** RFC 4443, and RFC 4861 for neighbours. */
export function dissectIcmpv6(work: Work, bytes: Bytes): void {
  const type = bytes.u8(0);
  const name = TYPES_V6.get(type) ?? `Type ${type}`;
  const echo = type === 128 || type === 129;
  const target = (type === 135 || type === 136) && bytes.length >= 24 ? bytes.ipv6(8) : undefined;
  work.layers.push(icmpLayer(bytes, { key: "icmpv6", name, title: `ICMPv6, ${name.toLowerCase()}`, echo, target }));
  work.protocol = "ICMPv6";
  if (echo) work.info = `${name}, ${echoText(bytes)}`;
  else if (type === 135) work.info = `Who has ${target}?`;
  else if (type === 136) work.info = `${target} is here`;
  else work.info = name;
}

function icmpLayer(
  bytes: Bytes,
  about: {
    readonly key: string;
    readonly name: string;
    readonly title: string;
    readonly echo: boolean;
    readonly target?: string | undefined;
  },
) {
  const draft = new LayerDraft(bytes, about.key);
  draft.add("type", "Type", bytes.u8(0), 0, 1, about.name);
  draft.add("code", "Code", bytes.u8(1), 1, 1);
  draft.add("checksum", "Checksum", bytes.u16(2), 2, 2, hexNumber(bytes.u16(2), 4));
  if (about.echo) {
    draft.add("ident", "Identifier", bytes.u16(4), 4, 2);
    draft.add("seq", "Sequence", bytes.u16(6), 6, 2);
  }
  if (about.target !== undefined) draft.add("nd.target", "Target", about.target, 8, 16);
  return draft.done(about.title, about.target === undefined ? 8 : 24);
}

function echoText(bytes: Bytes): string {
  return `id ${bytes.u16(4)}, seq ${bytes.u16(6)}, ${bytes.length - 8} bytes`;
}
