/** What is done in nodes: commands, consoles, output, files. */
import { createReadStream, lstatSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable, Writable } from "node:stream";
import { run, YardError } from "@switchyard/base";
import type { InsideOptions } from "@switchyard/yard/inside";
import { findRunningNode } from "@switchyard/yard/view";
import { z } from "zod";
import { readBytes } from "../body.ts";
import { flag } from "../change.ts";
import { json, type Operation, raw, socket } from "../operation.ts";
import type { Peer } from "../socket.ts";
import { streamOf } from "../stream.ts";

const tag = "nodes";
/** Bytes that are kept of what a command prints, when it is asked for as one answer. */
const MOST_OUTPUT = 1 << 20;
/** Bytes of a file that is sent. */
export const MOST_FILE = 256 << 20;
/** Of what a console said before. */
const HISTORY = 2_048;
/** The first byte of each message to the client. */
const STDOUT = 1;
const STDERR = 2;

const words = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => (typeof given === "string" ? [given] : given));
const path = z.string().startsWith("/", "an absolute path is expected");
/** Which way into a virtual machine; without either, the one that there is. */
const ways = {
  ssh: z.string().max(64).optional().describe("Into a virtual machine by ssh, as this user."),
  key: path.optional().describe("The private key for that, a file of the host."),
};
const env = z.record(z.string().regex(/^[^=\0]+$/), z.string());
const size = z.coerce.number().int().min(1).max(10_000);

export const inside: readonly Operation[] = [
  socket({
    id: "execNode",
    path: "/nodes/{node}/exec",
    role: "operate",
    tag,
    summary: "Run a command in a node, at a terminal or without.",
    description:
      'A WebSocket. Binary messages from the client are the command\'s input; texts are JSON: `{"resize":{"columns":80,"rows":24}}`, `{"end":true}` (no more input). Binary messages from the server begin with a byte that says what they are: 1 standard output, 2 standard error. At the end comes the text `{"exitCode":0}`, or `{"error":…}`, and the socket is closed. A client that leaves ends the command.',
    query: z.strictObject({
      command: words.describe("The program, and once more for each argument."),
      tty: flag(),
      columns: size.default(80),
      rows: size.default(24),
      user: z.string().optional(),
      workdir: z.string().optional(),
      console: flag().describe("In a virtual machine: by the shell that is logged in at its console."),
      ...ways,
      term: z.string().max(64).default("xterm-256color").describe("TERM of a terminal."),
    }),
    handle: ({ site, params: { node = "" }, query, note }) => {
      const { command, tty, columns, rows, term, user, workdir, console, ...by } = query;
      note(`exec ${basename(command[0] ?? "")}`);
      const way = site.inside();
      findRunningNode(way.view, node);
      return {
        run: async (peer) => {
          const options: InsideOptions = {
            command,
            tty,
            ...(tty ? { env: { TERM: term } } : {}),
            ...some({ user, workdir }),
            ...sshOf(by),
            ...(console ? { onConsole: true } : {}),
          };
          return {
            exitCode: await way.exec(node, { ...options, signal: peer.gone }, terminal(peer, tty, { columns, rows })),
          };
        },
      };
    },
  }),
  socket({
    id: "shellNode",
    path: "/nodes/{node}/shell",
    role: "operate",
    tag,
    summary: "Open a shell at a terminal, as `yard shell` does: of a virtual machine it is the console.",
    description: "Messages are as those of execNode.",
    query: z.strictObject({
      columns: size.default(80),
      rows: size.default(24),
      term: z.string().max(64).default("xterm-256color"),
    }),
    handle: ({ site, params: { node = "" }, query: { columns, rows, term }, note }) => {
      note("shell");
      const way = site.inside();
      const { kind } = findRunningNode(way.view, node);
      return {
        run: async (peer) => {
          const streams = terminal(peer, true, { columns, rows });
          if (way.isMachine(node)) return await sit(way, node, HISTORY, peer);
          const command = kind === "netns" ? [site.environment.SHELL ?? "/bin/sh"] : ["/bin/sh"];
          // Whoever looks at the prompt shall see that this is not the host. Every shell of POSIX expands parameters in it.
          const environment = { TERM: term, PS1: `${node}:$PWD# ` };
          return {
            exitCode: await way.exec(node, { command, tty: true, env: environment, signal: peer.gone }, streams),
          };
        },
      };
    },
  }),
  socket({
    id: "consoleNode",
    path: "/nodes/{node}/console",
    role: "operate",
    tag,
    summary: "Sit down at the serial console of a virtual machine.",
    description: 'Messages are as those of execNode; at the end comes `{"console":"left"}` or `{"console":"ended"}`.',
    query: z.strictObject({
      history: z.coerce.number().int().min(0).max(1e9).default(HISTORY).describe("Bytes of what it said before."),
    }),
    handle: async ({ site, params: { node = "" }, query: { history }, note }) => {
      note("console");
      const way = site.inside();
      await way.theMachine(node);
      findRunningNode(way.view, node);
      return { run: (peer) => sit(way, node, history, peer) };
    },
  }),
  json({
    id: "runInNode",
    method: "POST",
    path: "/nodes/{node}/exec",
    role: "operate",
    tag,
    summary: "Run a command in a node and get all that it has printed, the first megabyte of it.",
    body: z.strictObject({
      command: z.array(z.string()).min(1),
      env: env.default({}),
      user: z.string().optional(),
      workdir: z.string().optional(),
      console: z.boolean().default(false).describe("In a virtual machine: by the shell at its console."),
      ...ways,
      input: z.string().optional(),
      timeout: z.number().positive().max(3_600).default(60).describe("Seconds, after which it is ended."),
    }),
    reply: z.strictObject({
      exitCode: z.union([z.int(), z.null()]).describe("Null: it was ended when its time was over."),
      stdout: z.string(),
      stderr: z.string(),
      truncated: z.boolean(),
    }),
    handle: async ({ site, params: { node = "" }, body, note, gone }) => {
      const { command, env, input, timeout, user, workdir, console, ...by } = body;
      note(`exec ${basename(command[0] ?? "")}`);
      const over = AbortSignal.timeout(timeout * 1_000);
      const [out, err] = [collector(), collector()];
      const options: InsideOptions = {
        command,
        tty: false,
        env,
        ...some({ user, workdir }),
        ...sshOf(by),
        ...(console ? { onConsole: true } : {}),
        signal: AbortSignal.any([gone, over]),
      };
      const stdin = input === undefined ? undefined : Readable.from([Buffer.from(input)]);
      const streams = { stdin, stdout: out.stream, stderr: err.stream };
      const ended = await site
        .inside()
        .exec(node, options, streams)
        .catch((error: unknown) => {
          if (over.aborted) return null;
          throw error;
        });
      const exitCode = over.aborted ? null : ended;
      return { exitCode, stdout: out.text(), stderr: err.text(), truncated: out.full() || err.full() };
    },
  }),
  raw({
    id: "getLogs",
    method: "GET",
    path: "/nodes/{node}/logs",
    role: "read",
    tag,
    summary: "What the first process of a container has printed, or the serial console of a virtual machine.",
    query: z.strictObject({
      follow: flag(),
      tail: z.coerce.number().int().min(0).max(1e9).optional().describe("Only the last lines."),
    }),
    gives: "text/plain",
    handle: async ({ site, params: { node = "" }, query: { follow, tail }, gone }) => {
      const way = site.inside();
      const { stream, body } = streamOf(gone);
      const options = { follow, ...some({ tail }), signal: stream.gone };
      const done = way.logs(node, options, { stdin: undefined, stdout: stream.writable(), stderr: stream.writable() });
      // What is refused at once has an answer of its own.
      await Promise.race([done, stream.begun]);
      done.then(
        () => stream.end(),
        (error: unknown) => stream.fail(error),
      );
      return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
    },
  }),
  raw({
    id: "getFile",
    method: "GET",
    path: "/nodes/{node}/files",
    role: "operate",
    tag,
    summary: "Copy a file out of a container or virtual machine; a folder as a tar archive.",
    query: z.strictObject({ path }),
    gives: "application/octet-stream",
    handle: async ({ site, params: { node = "" }, query: { path }, gone }) => {
      const folder = mkdtempSync(join(tmpdir(), "yard-file-"));
      try {
        const copy = join(folder, "copy");
        await site.inside().copy(node, { inside: path, outside: copy, into: false }, gone);
        // Followed, it would lead out of the node, to a file of the host's.
        if (lstatSync(copy).isSymbolicLink())
          throw new YardError("http.bad-query", `${path} is a symbolic link: ask for what it points to`);
        const isFolder = statSync(copy).isDirectory();
        const file = isFolder ? join(folder, "copy.tar") : copy;
        if (isFolder) await run(["tar", "-C", copy, "-cf", file, "."], { signal: gone, timeout: 600_000 });
        const { size } = statSync(file);
        // Open it stays readable, though its folder is gone.
        const stream = createReadStream(file, { fd: openSync(file, "r") });
        const type = isFolder ? "application/x-tar" : "application/octet-stream";
        return new Response(bodyOf(stream), { headers: { "content-type": type, "content-length": String(size) } });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  }),
  raw({
    id: "putFile",
    method: "PUT",
    path: "/nodes/{node}/files",
    role: "operate",
    tag,
    summary: "Copy a file into a container or virtual machine; `path` is what it is called there.",
    query: z.strictObject({
      path,
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/)
        .default("644")
        .describe("Its permissions, octal."),
    }),
    takes: "application/octet-stream",
    gives: "application/json",
    handle: async ({ site, params: { node = "" }, query: { path, mode }, request, gone }) => {
      const folder = mkdtempSync(join(tmpdir(), "yard-file-"));
      try {
        const name = basename(path);
        if (name === "" || name === "." || name === "..")
          throw new YardError("http.bad-query", "the path names no file");
        const copy = join(folder, name);
        writeFileSync(copy, await readBytes(request, MOST_FILE), { mode: Number.parseInt(mode, 8) });
        await site.inside().copy(node, { inside: path, outside: copy, into: true }, gone);
        return Response.json({ path });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  }),
];

/** How ssh gets in, where that is asked for. */
function sshOf({ ssh, key }: { readonly ssh?: string | undefined; readonly key?: string | undefined }) {
  return ssh === undefined ? {} : { ssh: { user: ssh, key } };
}

/** The client as a command in a node has it. */
function terminal(peer: Peer, tty: boolean, size: { readonly columns: number; readonly rows: number }) {
  return {
    stdin: peer.input,
    stdout: peer.writable(STDOUT),
    stderr: peer.writable(STDERR),
    ...(tty
      ? { size: { ...size, onChange: (listener: (columns: number, rows: number) => void) => peer.onResize(listener) } }
      : {}),
  };
}

/** At the console of a machine, until the client leaves or the machine ends. */
async function sit(
  way: ReturnType<Parameters<Operation["handle"]>[0]["site"]["inside"]>,
  node: string,
  history: number,
  peer: Peer,
) {
  const { engine, name } = await way.theMachine(node);
  const { stdin, stdout, stderr } = terminal(peer, false, { columns: 80, rows: 24 });
  return { console: await engine.console(name, { history, signal: peer.gone }, { stdin, stdout, stderr }) };
}

function collector() {
  const chunks: Buffer[] = [];
  let length = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (length < MOST_OUTPUT) chunks.push(chunk.subarray(0, MOST_OUTPUT - length));
      length += chunk.length;
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8"), full: () => length > MOST_OUTPUT };
}

/** A file's stream as an answer's body. */
function bodyOf(stream: Readable): ReadableStream<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    cancel: () => void stream.destroy(),
  });
}

/** The values that were given. */
function some<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
