import { YardError } from "@switchyard/base";

/**
 * The body of a request, no more of it than is taken.
 *
 * @throws YardError `http.too-large`
 */
export async function readBytes(request: Request, most: number): Promise<Uint8Array> {
  const told = Number(request.headers.get("content-length") ?? 0);
  if (told > most) throw tooLarge(most);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The same as JSON. @throws YardError `http.too-large`, `http.bad-body` */
export async function readJson(request: Request, most: number): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  // A form of a stranger's page cannot say this without asking first (CORS).
  if (!/^application\/json\b/i.test(type))
    throw new YardError("http.bad-body", `the body is "${type}", and application/json is expected`);
  const bytes = await readBytes(request, most);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new YardError("http.bad-body", "the body is not JSON", { cause });
  }
}

function tooLarge(most: number): YardError {
  return new YardError("http.too-large", `the body has more than ${most} bytes`);
}
