/** Files into a guest and out of it by its own agent, which reads and writes files in the guest. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { collectText } from "../streams/collect.ts";
import { call, execByAgent } from "./guest-agent.ts";
import { failed, type GuestShell, must } from "./guest-copy.ts";
import { isRecord } from "./qmp.ts";

/** Bytes a message; a message is a line of JSON, in base64. */
const CHUNK = 256 * 1024;

/** A guest by its agent. Its methods throw YardError `vm.agent-absent`, `vm.agent-refused`, `vm.copy-failed`. */
export function agentShell(socket: string): GuestShell {
  const guest = { run: (command: readonly string[], signal?: AbortSignal) => run(socket, command, signal) };
  const withDraft = async (work: (draft: string) => Promise<void>) => {
    const draft = draftPath();
    try {
      await work(draft);
    } finally {
      await guest.run(["rm", "-f", draft]).catch(() => undefined);
    }
  };
  return {
    ...guest,
    unpack: (folder, archive, signal) =>
      withDraft(async (draft) => {
        await writeGuestFile(socket, draft, archive, signal);
        await must(guest, ["tar", "-x", "-f", draft, "-C", folder], signal);
      }),
    pack: (folder, name, take, signal) =>
      withDraft(async (draft) => {
        await must(guest, ["tar", "-c", "-f", draft, "-C", folder, name], signal);
        await take(Readable.from(readGuestFile(socket, draft, signal)));
      }),
  };
}

/** Where an archive is kept in the guest on its way. */
export function draftPath(): string {
  return `/tmp/.switchyard-${randomBytes(8).toString("hex")}.tar`;
}

async function run(socket: string, command: readonly string[], signal?: AbortSignal) {
  const { stream, text } = collectText();
  const options = { command, tty: false, ...(signal === undefined ? {} : { signal }) };
  const code = await execByAgent(socket, options, { stdin: undefined, stdout: stream, stderr: stream });
  return { code, said: text() };
}

async function open(socket: string, path: string, mode: "r" | "w"): Promise<number> {
  const handle = await call(socket, "guest-file-open", { path, mode });
  if (typeof handle !== "number") throw failed(`the guest agent opened no ${path}`);
  return handle;
}

async function writeGuestFile(
  socket: string,
  path: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = await open(socket, path, "w");
  const write = (bytes: Buffer) => call(socket, "guest-file-write", { handle, "buf-b64": bytes.toString("base64") });
  try {
    let waiting: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of content) {
      signal?.throwIfAborted();
      waiting.push(chunk);
      size += chunk.length;
      if (size < CHUNK) continue;
      await write(Buffer.concat(waiting));
      waiting = [];
      size = 0;
    }
    if (size > 0) await write(Buffer.concat(waiting));
  } finally {
    await call(socket, "guest-file-close", { handle }).catch(() => undefined);
  }
}

async function* readGuestFile(
  socket: string,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const handle = await open(socket, path, "r");
  try {
    for (;;) {
      signal?.throwIfAborted();
      const answer = await call(socket, "guest-file-read", { handle, count: CHUNK });
      if (!isRecord(answer) || typeof answer["buf-b64"] !== "string")
        throw failed(`the guest agent read nothing of ${path}`);
      yield Buffer.from(answer["buf-b64"], "base64");
      if (answer.eof === true) return;
    }
  } finally {
    await call(socket, "guest-file-close", { handle }).catch(() => undefined);
  }
}
