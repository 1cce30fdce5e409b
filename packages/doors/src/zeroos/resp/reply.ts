/** What a client is answered, and how that is written (the RESP2 specification). */
export type Reply =
  | { readonly status: string }
  | { readonly error: string }
  | number
  /** A bulk string. */
  | Buffer
  | string
  /** No bulk string. */
  | null
  | typeof NO_ARRAY
  | "no-array"
  | readonly Reply[];

/** No list: what a blocking command answers when its time is over. */
export const NO_ARRAY: unique symbol = Symbol("no array");

export const OK: Reply = { status: "OK" };

export function encode(reply: Reply): Buffer {
  const parts: Buffer[] = [];
  write(reply, parts);
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

function write(reply: Reply, into: Buffer[]): void {
  if (reply === null) into.push(Buffer.from("$-1\r\n"));
  else if (reply === NO_ARRAY) into.push(Buffer.from("*-1\r\n"));
  else if (typeof reply === "number") into.push(Buffer.from(`:${reply}\r\n`));
  else if (typeof reply === "string" || Buffer.isBuffer(reply)) {
    const bytes = typeof reply === "string" ? Buffer.from(reply) : reply;
    into.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  } else if (isList(reply)) {
    into.push(Buffer.from(`*${reply.length}\r\n`));
    for (const one of reply) write(one, into);
  } else if ("status" in reply) into.push(Buffer.from(`+${oneLine(reply.status)}\r\n`));
  else into.push(Buffer.from(`-${oneLine(reply.error)}\r\n`));
}

function isList(reply: object): reply is readonly Reply[] {
  return Array.isArray(reply);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ");
}
