import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryRun, YardError } from "@switchyard/base";
import { z } from "zod";
import { json, type Operation } from "../operation.ts";

/** More than any frame has. */
const MOST_BYTES = 262_144;
/** Milliseconds that taking one frame apart may take. */
const PATIENCE = 10_000;
/** Of nobody's, nogroup's, on any Linux (Linux Standard Base). */
const NOBODY = "65534";
/** What reads strangers' frames has no right to anything: not root's, and none to come by. */
const UNPRIVILEGED = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
  "--inh-caps=-all",
] as const;

export const dissections: readonly Operation[] = [
  json({
    id: "dissectFrame",
    method: "POST",
    path: "/dissect",
    role: "operate",
    tag: "captures",
    summary: "Take a frame apart by tshark, where the host has it: all protocols that Wireshark knows.",
    body: z.strictObject({ frame: z.base64().describe("An Ethernet frame.") }),
    reply: z.strictObject({ text: z.string().describe("As `tshark -V` prints it.") }),
    handle: async ({ body, gone }) => {
      const frame = Buffer.from(body.frame, "base64");
      if (frame.length > MOST_BYTES) throw new YardError("http.too-large", `no frame has ${frame.length} bytes`);
      const folder = mkdtempSync(join(tmpdir(), "yard-frame-"));
      try {
        return { text: await textOf(fileOf(frame, folder), gone) };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  }),
];

/** @throws YardError `dissect.no-tshark`, `dissect.failed` */
async function textOf(file: string, signal: AbortSignal): Promise<string> {
  const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", LC_ALL: "C.UTF-8" };
  const argv = [...UNPRIVILEGED, "tshark", "-n", "-V", "-r", file] as const;
  const { code, stdout, stderr } = await tryRun(argv, { env, signal, timeout: PATIENCE });
  if (code === 0) return stdout;
  // setpriv(1) has found nothing to run.
  if (code === 127)
    throw new YardError("dissect.no-tshark", "the host has no tshark", { hint: "apt-get install tshark" });
  throw new YardError("dissect.failed", `tshark ended with ${code}: ${stderr.trim()}`);
}

/** tshark reads no socket, which our standard input to it would be: a file then, that only nobody may read. */
function fileOf(frame: Buffer, folder: string): string {
  const file = join(folder, "frame.pcap");
  writeFileSync(file, pcap(frame), { mode: 0o600 });
  chownSync(file, Number(NOBODY), Number(NOBODY));
  chmodSync(folder, 0o711);
  return file;
}

/** A file with that frame alone: pcap, draft-ietf-opsawg-pcap. */
function pcap(frame: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(MOST_BYTES, 16);
  // Ethernet.
  head.writeUInt32LE(1, 20);
  head.writeUInt32LE(frame.length, 32);
  head.writeUInt32LE(frame.length, 36);
  return Buffer.concat([head, frame]);
}
