/** Files into a guest and out of it, by its own agent: as an archive, which the guest's tar(1) unpacks and packs. */
import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { YardError } from "@switchyard/base";
import { baseName, hostPlace, packFrom, unpackAt } from "../files/copy.ts";
import { RootedFolder } from "../files/rooted.ts";
import { call, execByAgent } from "./guest-agent.ts";
import { isRecord } from "./qmp.ts";

/** Bytes a message; a message is a line of JSON, in base64. */
const CHUNK = 256 * 1024;

/**
 * Copies a file or folder of the host into the guest, named as `docker cp` would name it.
 *
 * @throws YardError `runtime.path-absent`, `vm.agent-absent`, `vm.agent-refused`, `vm.copy-failed`
 */
export async function copyIn(socket: string, outside: string, inside: string, signal?: AbortSignal): Promise<void> {
  const clean = inside.length > 1 ? inside.replace(/\/+$/, "") : inside;
  const intoFolder = await isFolder(socket, clean, signal);
  const folder = intoFolder ? clean : clean.slice(0, clean.lastIndexOf("/")) || "/";
  if (!intoFolder && !(await isFolder(socket, folder, signal))) throw absent(folder);
  using root = new RootedFolder("/");
  const { path } = hostPlace(outside);
  const archive = packFrom(root, path, intoFolder ? baseName(path) : baseName(clean), signal);
  const draft = draftPath();
  try {
    await writeGuestFile(socket, draft, archive, signal);
    await must(socket, ["tar", "-x", "-f", draft, "-C", folder], signal);
  } finally {
    await run(socket, ["rm", "-f", draft]).catch(() => undefined);
  }
}

/** Copies a file or folder out of the guest. @throws YardError as {@link copyIn}, and `runtime.archive-bad` */
export async function copyOut(socket: string, inside: string, outside: string, signal?: AbortSignal): Promise<void> {
  const name = baseName(inside);
  const clean = inside.replace(/\/+$/, "");
  const folder = clean.slice(0, clean.lastIndexOf("/")) || "/";
  if ((await run(socket, ["test", "-e", clean], signal)).code !== 0) throw absent(inside);
  const draft = draftPath();
  try {
    await must(socket, ["tar", "-c", "-f", draft, "-C", folder, name], signal);
    const archive = Readable.from(readGuestFile(socket, draft, signal));
    await unpackAt(hostPlace(outside), name, archive, signal);
  } finally {
    await run(socket, ["rm", "-f", draft]).catch(() => undefined);
  }
}

/** Where an archive is kept in the guest on its way. */
function draftPath(): string {
  return `/tmp/.switchyard-${randomBytes(8).toString("hex")}.tar`;
}

async function isFolder(socket: string, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await run(socket, ["test", "-d", path], signal)).code === 0;
}

async function must(socket: string, command: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { code, said } = await run(socket, command, signal);
  if (code !== 0)
    throw new YardError("vm.copy-failed", `${command[0]} in the guest ended with exit code ${code}: ${said.trim()}`);
}

async function run(socket: string, command: readonly string[], signal?: AbortSignal) {
  let said = "";
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString("utf8");
      done();
    },
  });
  const options = { command, tty: false, ...(signal === undefined ? {} : { signal }) };
  const code = await execByAgent(socket, options, { stdin: undefined, stdout: sink, stderr: sink });
  return { code, said };
}

async function open(socket: string, path: string, mode: "r" | "w"): Promise<number> {
  const handle = await call(socket, "guest-file-open", { path, mode });
  if (typeof handle !== "number") throw new YardError("vm.copy-failed", `the guest agent opened no ${path}`);
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
        throw new YardError("vm.copy-failed", `the guest agent read nothing of ${path}`);
      yield Buffer.from(answer["buf-b64"], "base64");
      if (answer.eof === true) return;
    }
  } finally {
    await call(socket, "guest-file-close", { handle }).catch(() => undefined);
  }
}

function absent(path: string): YardError {
  return new YardError("runtime.path-absent", `there is no ${path} in the guest`);
}
