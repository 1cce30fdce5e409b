import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createLogger } from "@switchyard/base/log";
import { Lists } from "../lists.ts";
import { encode } from "./reply.ts";
import { type RespServer, type ServerOptions, serveResp } from "./server.ts";

describe("the server", () => {
  const lists = new Lists();
  const open: (AsyncDisposable | Disposable)[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) {
      if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
      else one[Symbol.dispose]();
    }
  });

  async function serve(limits: ServerOptions["limits"], admitted = true): Promise<RespServer> {
    const server = await serveResp({
      host: "127.0.0.1",
      port: 0,
      password: undefined,
      tls: undefined,
      admit: () => admitted,
      lists,
      submit: () => {},
      log: createLogger("test", "silent"),
      limits: limits ?? {},
    });
    open.push(server);
    return server;
  }

  /** A client, and what becomes of it: all that it hears until it is let go. */
  function client({ port }: RespServer): { readonly socket: Socket; readonly heard: Promise<string> } {
    const socket = connect(port, "127.0.0.1");
    open.push({ [Symbol.dispose]: () => void socket.destroy() });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    const heard = new Promise<string>((resolve) =>
      socket.once("close", () => resolve(Buffer.concat(chunks).toString("latin1"))),
    );
    return { socket, heard };
  }

  test("lets go of who is silent, a stranger sooner, but not of who waits", async () => {
    const strict = await serve({ strangerSilence: 30, silence: 60_000 }, false);
    expect(await client(strict).heard).toBe("");
    const { socket, heard } = client(await serve({ strangerSilence: 60_000, silence: 30 }));
    socket.write(encode(["BLPOP", "none", "0.2"]));
    const began = performance.now();
    expect(await heard).toBe("*-1\r\n");
    expect(performance.now() - began).toBeGreaterThan(200);
  });

  test("takes so many clients and no more", async () => {
    const server = await serve({ clients: 1 });
    const first = client(server);
    first.socket.write(encode(["PING"]));
    await new Promise((resolve) => first.socket.once("data", resolve));
    expect(await client(server).heard).toBe("-ERR max number of clients reached\r\n");
  });

  test("keeps no endless answers for who does not read them", async () => {
    lists.push("large", Buffer.alloc(4 << 20));
    const server = await serve({ slowness: 100 });
    const { socket, heard } = client(server);
    socket.pause();
    const request = encode(["LRANGE", "large", "0", "-1"]);
    for (let n = 0; n < 8; n++) socket.write(request);
    // It is closed although nothing is read; what the kernel has kept is read then.
    await Bun.sleep(300);
    socket.resume();
    expect((await heard).length).toBeLessThan(8 * (4 << 20));
    lists.take("large", "first");
  });

  test("answers one after the other, and the last one before it closes", async () => {
    const { socket, heard } = client(await serve({}));
    socket.write(
      Buffer.concat([encode(["BLPOP", "none", "0.05"]), encode(["PING"]), encode(["QUIT"]), encode(["PING"])]),
    );
    expect(await heard).toBe("*-1\r\n+PONG\r\n+OK\r\n");
  });
});
