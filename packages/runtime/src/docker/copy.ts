import { PassThrough } from "node:stream";
import { YardError } from "@switchyard/base";
import type { Container } from "dockerode";
import { baseName, hostPlace, packFrom, unpackAt } from "../files/copy.ts";
import { RootedFolder } from "../files/rooted.ts";
import { readFailure } from "./failure.ts";

/** Go's os.ModeDir, in which the engine tells of a path. */
const MODE_DIRECTORY = 2 ** 31;

/** Copies out of a container through the archive API. */
export async function copyOut(
  container: Container,
  inside: string,
  outside: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = baseName(inside);
  const archive = await container.getArchive({ path: inside, abortSignal: signal }).catch((error: unknown) => {
    throw readFailure(error).status === 404 ? absent(inside, error) : error;
  });
  // The answer's body is a stream of the HTTP client; what reads it here wants one of its own kind.
  const stream = new PassThrough();
  archive.on("error", (error) => stream.destroy(error));
  archive.pipe(stream);
  await unpackAt(hostPlace(outside), name, stream, signal);
}

/** Copies into a container through the archive API. */
export async function copyIn(
  container: Container,
  outside: string,
  inside: string,
  signal?: AbortSignal,
): Promise<void> {
  const clean = inside.length > 1 ? inside.replace(/\/+$/, "") : inside;
  const intoFolder = await isFolder(container, clean);
  const folder = intoFolder ? clean : `${clean.slice(0, clean.lastIndexOf("/"))}/`;
  if (!intoFolder && !(await isFolder(container, folder))) throw absent(folder);
  using root = new RootedFolder("/");
  const { path } = hostPlace(outside);
  const archive = packFrom(root, path, intoFolder ? baseName(path) : baseName(clean), signal);
  await container.putArchive(archive, { path: folder, abortSignal: signal });
}

async function isFolder(container: Container, path: string): Promise<boolean> {
  const answer: unknown = await container.infoArchive({ path }).catch((error: unknown) => {
    if (readFailure(error).status === 404) return undefined;
    throw error;
  });
  if (typeof answer !== "object" || answer === null || !("headers" in answer)) return false;
  if ("resume" in answer && typeof answer.resume === "function") answer.resume();
  const { headers } = answer;
  if (typeof headers !== "object" || headers === null) return false;
  const encoded: unknown = Reflect.get(headers, "x-docker-container-path-stat");
  if (typeof encoded !== "string") return false;
  const stat: unknown = JSON.parse(Buffer.from(encoded, "base64").toString("utf8"));
  if (typeof stat !== "object" || stat === null || !("mode" in stat) || typeof stat.mode !== "number") return false;
  return Math.floor(stat.mode / MODE_DIRECTORY) % 2 === 1;
}

function absent(path: string, cause?: unknown): YardError {
  return new YardError("runtime.path-absent", `there is no ${path} in the container`, { cause });
}
