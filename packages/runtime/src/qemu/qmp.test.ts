import { describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { temporaryFolder } from "@switchyard/testing";
import { parseMessage, QmpClient, QmpError } from "./qmp.ts";

/** A monitor that greets, and answers each command by `answer`; a command without one is never answered. */
async function monitor(path: string, answer: (command: string, id: number) => string[] | "close"): Promise<Server> {
  const server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n');
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id } = JSON.parse(line);
        const said = execute === "qmp_capabilities" ? [`{"return": {}, "id": ${id}}`] : answer(execute, id);
        if (said === "close") socket.destroy();
        // In pieces, as a stream may bring them.
        else
          for (const piece of said
            .join("\r\n")
            .concat("\r\n")
            .match(/.{1,7}/gs) ?? [])
            socket.write(piece);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

async function withMonitor(
  answer: Parameters<typeof monitor>[1],
  body: (client: QmpClient) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder("syqmp-");
  const server = await monitor(`${folder.path}/qmp`, answer);
  try {
    using client = await QmpClient.open(`${folder.path}/qmp`);
    await body(client);
  } finally {
    server.close();
  }
}

describe("QMP", () => {
  test("answers come to whom they are for, in whatever order", () =>
    withMonitor(
      (() => {
        let held = 0;
        return (command: string, id: number) => {
          if (command === "first") {
            held = id;
            return [];
          }
          return [`{"return": "second's", "id": ${id}}`, `{"return": "first's", "id": ${held}}`];
        };
      })(),
      async (client) => {
        expect(await Promise.all([client.execute("first"), client.execute("second")])).toEqual(["first's", "second's"]);
      },
    ));

  test("a refusal is an error with QEMU's words and class", () =>
    withMonitor(
      (_, id) => [`{"id": ${id}, "error": {"class": "DeviceNotFound", "desc": "Device 'nic7' not found"}}`],
      async (client) => {
        const error = await client.execute("device_del", { id: "nic7" }).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(QmpError);
        expect(error).toMatchObject({ code: "vm.qemu-refused", errorClass: "DeviceNotFound" });
        expect(String(error)).toContain("QEMU refused device_del: Device 'nic7' not found");
      },
    ));

  test("an event that is waited for is told, others are not", () =>
    withMonitor(
      (_, id) => [
        '{"event": "RESET", "data": {}, "timestamp": {}}',
        `{"return": {}, "id": ${id}}`,
        '{"event": "DEVICE_DELETED", "data": {"path": "/machine/x"}, "timestamp": {}}',
        '{"event": "DEVICE_DELETED", "data": {"device": "nic1", "path": "/y"}, "timestamp": {}}',
      ],
      async (client) => {
        const gone = client.event(({ data }) => data.device === "nic1", "word that the nic is gone");
        await client.execute("device_del", { id: "nic1" });
        expect(await gone).toEqual({ event: "DEVICE_DELETED", data: { device: "nic1", path: "/y" } });
      },
    ));

  test("whoever waits is told when QEMU ends, does not answer, or is no longer wanted", () =>
    withMonitor(
      (command) => (command === "quit" ? "close" : []),
      async (client) => {
        const codeOf = (promise: Promise<unknown>) => promise.catch((error) => error.code ?? error.message);
        expect(await codeOf(client.execute("stop", {}, { timeout: 20 }))).toBe("vm.not-answering");
        const abort = new AbortController();
        const aborted = codeOf(client.execute("stop", {}, { signal: abort.signal }));
        abort.abort(new Error("enough"));
        expect(await aborted).toBe("enough");
        const waiting = [codeOf(client.execute("stop")), codeOf(client.event(() => true, "anything"))];
        expect(await codeOf(client.execute("quit"))).toBe("vm.ended");
        expect(await Promise.all(waiting)).toEqual(["vm.ended", "vm.ended"]);
        expect(await codeOf(client.execute("cont"))).toBe("vm.ended");
        await client.closed;
      },
    ));

  test("no QEMU at all is an error", async () => {
    expect(await QmpClient.open("/tmp/syqmp-nobody").catch((error) => error.code)).toBe("vm.ended");
  });

  test("a line is parsed for what it is", () => {
    expect(parseMessage('{"QMP": {}}')).toEqual({ kind: "greeting" });
    expect(parseMessage('{"event": "STOP"}')).toEqual({ kind: "event", event: { event: "STOP", data: {} } });
    expect(parseMessage('{"return": {"a": 1}, "id": 3}')).toEqual({ kind: "return", id: 3, value: { a: 1 } });
    expect(parseMessage('{"error": {"class": "GenericError", "desc": "no JSON"}}')).toMatchObject({
      kind: "error",
      id: -1,
    });
    for (const line of ["", "{", "[]", "null", '{"other": 1}']) expect(parseMessage(line)).toBeUndefined();
  });
});
