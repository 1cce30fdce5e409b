/**
 * Files into a guest and out of it by the shell at its serial console, for guests that can be reached in no other way: in
 * small pieces of base64, each with its checksum, as a kernel's message may fall between and a terminal lose what comes
 * too fast.
 */
import { createHash } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { YardError } from "@switchyard/base";
import type { ProcessId } from "@switchyard/linux";
import { collectText } from "../streams/collect.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";
import { typeOnce } from "./console.ts";
import { askConsole, beginning, ending, execOnConsole, INTERRUPT, LONGEST, refuseOnConsole } from "./console-exec.ts";
import { failed, type GuestShell, must } from "./guest-copy.ts";
import { draftPath } from "./guest-files.ts";
import type { MachinePaths } from "./paths.ts";
import type { CopyProgress } from "./types.ts";

/** Bytes that are typed or printed, of a compressed archive or of an input as it is; it takes minutes. */
const MOST = 4 * 1024 * 1024;
/** A line of base64: less than a terminal takes, and whole groups of four. */
const LINE = 900;
/** Lines in a piece: with the command around them they fit into a terminal's buffer (N_TTY_BUF_SIZE), however late they are read. */
const LINES = 3;
const PIECE_IN = (LINE / 4) * 3 * LINES;
const PIECE_OUT = 32 * 1024;
const ATTEMPTS = 3;

/** What a guest must have for bytes to be typed, and for copies. */
const FEEDING = ["base64", "sha256sum"];
const COPYING = [...FEEDING, "tar", "gzip", "dd"];

interface ConsoleShell extends GuestShell {
  /** Has an input in a file of the guest while `work` is done; none where it is empty. */
  feed<R>(input: NodeJS.ReadableStream, work: (file: string | undefined) => Promise<R>): Promise<R>;
}

/**
 * Runs a command on the console, as `execOnConsole` does, that is fed from an input. All of that is read before.
 *
 * @throws YardError as `execOnConsole`, and `vm.copy-failed`, `vm.copy-too-large`
 */
export async function execFedOnConsole(
  machine: MachinePaths,
  name: string,
  process: ProcessId,
  options: ExecOptions,
  streams: ExecStreams,
): Promise<number> {
  const { stdin, ...outputs } = streams;
  const plain = (input?: string) =>
    execOnConsole(machine, name, process, options, { ...outputs, stdin: undefined }, input);
  if (stdin === undefined) return plain();
  // What cannot be done is told before anything is typed.
  refuseOnConsole(options);
  const guest = await openShell(machine, name, process, FEEDING, undefined, options.signal);
  return guest.feed(stdin, plain);
}

/** A guest by its console. Its methods throw YardError `vm.console-no-shell`, `vm.copy-failed`, `vm.copy-too-large`. */
export function consoleShell(
  machine: MachinePaths,
  name: string,
  process: ProcessId,
  progress: CopyProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<GuestShell> {
  return openShell(machine, name, process, COPYING, progress, signal);
}

async function openShell(
  machine: MachinePaths,
  name: string,
  process: ProcessId,
  programs: readonly string[],
  progress: CopyProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<ConsoleShell> {
  const run: GuestShell["run"] = async (command, signal) => {
    const { stream, text } = collectText();
    const options = { command, tty: false, ...(signal === undefined ? {} : { signal }) };
    const streams = { stdin: undefined, stdout: stream, stderr: stream };
    const code = await execOnConsole(machine, name, process, options, streams);
    return { code, said: text() };
  };
  const sh = (script: string, ...words: readonly string[]) => ["sh", "-c", script, ...words];
  const lacking = (
    await run(sh(`for p in ${programs.join(" ")}; do command -v $p >/dev/null || echo $p; done`), signal)
  ).said;
  if (lacking.trim() !== "")
    throw failed(
      `the guest has no ${lacking.trim().replaceAll("\n", ", ")}, without which nothing goes through its console`,
    );
  const ask = (typed: (mark: string) => string, signal: AbortSignal | undefined) =>
    askConsole(machine, name, process, typed, signal);

  /** Until it comes through whole. A shell that still waits for what got lost is interrupted. */
  const insist = async <R>(attempt: () => Promise<R | undefined>): Promise<R> => {
    for (let n = 0; n < ATTEMPTS; n++) {
      try {
        const result = await attempt();
        if (result !== undefined) return result;
      } catch (error) {
        if (!(error instanceof YardError) || error.code !== "vm.console-no-shell") throw error;
        await typeOnce(machine.console, Buffer.from(INTERRUPT));
      }
    }
    throw failed(`what is copied does not come through the console whole, in ${ATTEMPTS} attempts`);
  };

  const write = async (draft: string, bytes: Buffer, signal: AbortSignal | undefined) => {
    for (let at = 0; at < bytes.length; at += PIECE_IN) {
      const piece = bytes.subarray(at, at + PIECE_IN);
      await insist(async () => {
        const { code } = await ask((mark) => pieceIn(mark, draft, piece), signal);
        return code === 0 ? true : undefined;
      });
      progress?.(at + piece.length, bytes.length);
    }
    await must({ run }, sh('[ "$(sha256sum <"$0")" = "$1  -" ]', draft, sha256(bytes)), signal);
  };

  const withDraft = async <R>(work: (draft: string) => Promise<R>): Promise<R> => {
    const draft = draftPath();
    try {
      return await work(draft);
    } finally {
      await run(["rm", "-f", draft, `${draft}.part`]).catch(() => undefined);
    }
  };

  return {
    run,
    feed: async (input, work) => {
      const bytes = await gathered(input);
      if (bytes.length === 0) return work(undefined);
      return withDraft(async (draft) => {
        await write(draft, bytes, signal);
        return work(draft);
      });
    },
    unpack: (folder, archive, signal) =>
      withDraft(async (draft) => {
        await write(draft, await gathered(archive, createGzip({ level: 9 })), signal);
        await must({ run }, sh('gzip -dc <"$0" | tar -x -f - -C "$1"', draft, folder), signal);
      }),
    pack: (folder, name, take, signal) =>
      withDraft(async (draft) => {
        await must({ run }, sh('tar -c -f - -C "$1" "$2" | gzip -c >"$0"', draft, folder, name), signal);
        const { said } = await run(sh('wc -c <"$0" && sha256sum <"$0"', draft), signal);
        const [, length = "", sum] = /^\s*(\d+)\s+([0-9a-f]{64})/.exec(said) ?? [];
        const size = Number(length);
        if (sum === undefined) throw failed(`the guest did not tell the size of ${draft}`);
        if (size > MOST) throw tooLarge();
        const pieces: Buffer[] = [];
        for (let at = 0; at < size; at += PIECE_OUT) {
          pieces.push(
            await insist(async () => {
              const { said } = await ask((mark) => pieceOut(mark, draft, at / PIECE_OUT), signal);
              return sound(said.toString("latin1"));
            }),
          );
          progress?.(Math.min(at + PIECE_OUT, size), size);
        }
        const bytes = Buffer.concat(pieces);
        if (sha256(bytes) !== sum) throw failed("what came out of the guest is not what was in it");
        const plain = createGunzip();
        await pipeline(Readable.from([bytes]), plain, () => take(plain));
      }),
  };
}

/** Adds a piece to a file if it is whole. The shell reads all of it before it does anything. */
function pieceIn(mark: string, draft: string, piece: Buffer): string {
  const lines = piece.toString("base64").match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  const part = `${draft}.part`;
  const checked = `[ "$(sha256sum <${part})" = "${sha256(piece)}  -" ] && cat ${part} >>${draft}`;
  const first = ` ${beginning(mark)}; base64 -d >${part} <<'${mark}' && ${checked}; ${ending(mark)}`;
  if (first.length > LONGEST) throw failed("the command is too long for the console");
  return [first, ...lines, mark].join("\n");
}

function pieceOut(mark: string, draft: string, number: number): string {
  const part = `${draft}.part`;
  const cut = `dd if=${draft} of=${part} bs=${PIECE_OUT} skip=${number} count=1 2>/dev/null`;
  return ` ${beginning(mark)}; ${cut} && sha256sum <${part} && base64 ${part}; ${ending(mark)}`;
}

/** What came, if it is what its checksum says. */
function sound(said: string): Buffer | undefined {
  const [sum = "", ...lines] = said.split("\n");
  const bytes = Buffer.from(lines.join(""), "base64");
  return sum.startsWith(sha256(bytes)) ? bytes : undefined;
}

/** What comes out of a chain of streams. Left in the middle, the iterator of one would tell of an abort instead. */
async function gathered(source: NodeJS.ReadableStream, ...through: readonly NodeJS.ReadWriteStream[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      size += chunk.length;
      done(size > MOST ? tooLarge() : null);
    },
  });
  await pipeline(source, ...through, sink);
  return Buffer.concat(chunks);
}

function tooLarge(): YardError {
  return new YardError(
    "vm.copy-too-large",
    `more than ${MOST / (1024 * 1024)} MiB (of a copy: packed) are too much for a serial console`,
    { hint: "install the guest agent, or say how it is reached by ssh (ssh: in the lab file)" },
  );
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
