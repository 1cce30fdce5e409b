import { type Bytes, CutShort, hexNumber, LayerDraft, type Work } from "./layer.ts";

/** IANA's registry "Domain Name System Parameters". */
const TYPES: ReadonlyMap<number, string> = new Map([
  [1, "A"],
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [12, "PTR"],
  [15, "MX"],
  [16, "TXT"],
  [28, "AAAA"],
  [33, "SRV"],
  [41, "OPT"],
  [65, "HTTPS"],
  [255, "ANY"],
]);
const CODES = ["no error", "format error", "server failure", "no such name", "not implemented", "refused"];
/** RFC 1035 §4.1.4: a name may point to another place of the message; none points more often than this. */
const JUMPS_MAX = 32;

/** RFC 1035 §4. */
export function dissectDns(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "dns");
  const flags = bytes.u16(2);
  const response = flags >> 15;
  const code = flags & 0xf;
  const [questions, answers] = [bytes.u16(4), bytes.u16(6)];
  draft.add("id", "Transaction", bytes.u16(0), 0, 2, hexNumber(bytes.u16(0), 4));
  draft.add("flags.response", "Response", response, 2, 1);
  draft.add("flags.opcode", "Opcode", (flags >> 11) & 0xf, 2, 1);
  if (response) draft.add("flags.rcode", "Reply code", code, 3, 1, CODES[code]);
  const said: string[] = [];
  let at = 12;
  for (let n = 0; n < questions; n++) {
    const name = readName(bytes, at);
    const type = bytes.u16(name.end);
    draft.add("qry.name", "Question", name.text, at, name.end - at);
    draft.add("qry.type", "Question's type", type, name.end, 2, typeText(type));
    said.push(`${typeText(type)} ${name.text}`);
    at = name.end + 4;
  }
  for (let n = 0; n < answers; n++) {
    const name = readName(bytes, at);
    const type = bytes.u16(name.end);
    const length = bytes.u16(name.end + 8);
    const data = recordText(bytes, type, name.end + 10, length);
    draft.add("resp.name", "Answer", name.text, at, name.end - at, `${name.text} ${typeText(type)} ${data}`);
    if (type === 1) draft.add("a", "Address", data, name.end + 10, length);
    if (type === 28) draft.add("aaaa", "Address", data, name.end + 10, length);
    said.push(`${typeText(type)} ${data}`);
    at = name.end + 10 + length;
  }
  work.layers.push(draft.done(`DNS, ${response ? "response" : "query"}`, bytes.length));
  work.protocol = "DNS";
  const problem = response && code > 0 ? ` (${CODES[code] ?? `code ${code}`})` : "";
  work.info = `${response ? "Response" : "Query"} ${hexNumber(bytes.u16(0), 4)} ${said.join(", ")}${problem}`;
}

function readName(bytes: Bytes, start: number): { readonly text: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  for (let jumps = 0; ; ) {
    const length = bytes.u8(at);
    if (length === 0) return { text: labels.join(".") || ".", end: end ?? at + 1 };
    if (length >= 0xc0) {
      end ??= at + 2;
      at = bytes.u16(at) & 0x3fff;
      if (++jumps > JUMPS_MAX) throw new CutShort();
      continue;
    }
    labels.push(bytes.text(at + 1, length));
    at += 1 + length;
  }
}

function recordText(bytes: Bytes, type: number, at: number, length: number): string {
  if (type === 1 && length === 4) return bytes.ipv4(at);
  if (type === 28 && length === 16) return bytes.ipv6(at);
  if (type === 2 || type === 5 || type === 12) return readName(bytes, at).text;
  if (type === 16 && length > 0) return JSON.stringify(bytes.text(at + 1, Math.min(bytes.u8(at), length - 1)));
  return `${length} bytes`;
}

function typeText(type: number): string {
  return TYPES.get(type) ?? `type ${type}`;
}
