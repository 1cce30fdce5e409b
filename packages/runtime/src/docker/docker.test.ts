import { describe, expect, test } from "bun:test";
import { Writable } from "node:stream";
import fc from "fast-check";
import { parseDockerAddress } from "./address.ts";
import { parseDockerEvent } from "./events.ts";
import { Demultiplexer } from "./stream.ts";

class Collected extends Writable {
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }
}

describe("the address of a Docker engine", () => {
  test("is a socket, the default one without an address", () => {
    expect(parseDockerAddress().socketPath).toBe("/var/run/docker.sock");
    expect(parseDockerAddress("unix:///run/user/1000/docker.sock").socketPath).toBe("/run/user/1000/docker.sock");
  });

  test("is a host and a port, with TLS on its port", () => {
    expect(parseDockerAddress("tcp://10.0.0.1:2375")).toMatchObject({ host: "10.0.0.1", port: 2375, protocol: "http" });
    expect(parseDockerAddress("tcp://engine:2376")).toMatchObject({ host: "engine", port: 2376, protocol: "https" });
    expect(parseDockerAddress("tcp://[::1]")).toMatchObject({ host: "[::1]", port: 2375 });
  });

  test.each(["", "docker", "unix://", "unix://relative", "ssh://host", "tcp://", "tcp://host:99999", "tcp://a b"])(
    "is not %p",
    (text) => {
      expect(() => parseDockerAddress(text)).toThrow(expect.objectContaining({ code: "runtime.bad-address" }));
    },
  );
});

describe("what Docker sends", () => {
  test("is taken apart wherever it is cut", () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 9 })), (list, cuts) => {
        const wire = Buffer.concat(
          list.map(([stream, content]) => {
            const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
            header.writeUInt32BE(content.length, 4);
            return Buffer.concat([header, content]);
          }),
        );
        const [stdout, stderr] = [new Collected(), new Collected()];
        const demultiplexer = new Demultiplexer({ stdout, stderr });
        let at = 0;
        for (const cut of [...cuts, wire.length]) {
          demultiplexer.push(wire.subarray(at, at + cut));
          at += cut;
        }
        const of = (stream: number) =>
          Buffer.concat(list.filter(([number]) => number === stream).map(([, content]) => Buffer.from(content)));
        expect(Buffer.concat(stdout.chunks).equals(of(1))).toBe(true);
        expect(Buffer.concat(stderr.chunks).equals(of(2))).toBe(true);
      }),
    );
  });

  test("as an event has its container, its exit code and the exact moment after it", () => {
    const line =
      '{"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"name":"y_a","exitCode":"137"}},"time":1700000000,"timeNano":1700000000999999999}';
    expect(parseDockerEvent(line)).toEqual({
      event: { name: "y_a", what: "exited", exitCode: 137 },
      after: "1700000001.000000000",
    });
    expect(
      parseDockerEvent('{"Action":"exec_start: sh","Actor":{"Attributes":{"name":"a"}},"timeNano":1}'),
    ).toBeUndefined();
  });
});
