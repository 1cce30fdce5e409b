import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { requires, temporaryFolder } from "@switchyard/testing";
import { DescriptorSocket, listenUnix } from "../src/mod.ts";

/** Accepts one connection on descriptor 3, greets, and answers with what is in the file that it is handed. */
const server = `
import array, os, socket
listener = socket.socket(fileno=3)
peer, _ = listener.accept()
peer.sendall(b"hello")
data, ancillary, flags, _ = peer.recvmsg(100, socket.CMSG_LEN(4))
fds = array.array("i", ancillary[0][2])
peer.sendall(data + b":" + os.read(fds[0], 100))
`;

describe.skipIf(!requires("root"))("unix sockets", () => {
  test("one that listens is handed to a program, which is handed an open file over it", async () => {
    await using folder = await temporaryFolder("tlinux-");
    const path = `${folder.path}/socket`;
    writeFileSync(path, "left behind");
    writeFileSync(`${folder.path}/secret`, "content", { mode: 0o600 });
    const listening = listenUnix(path, { mode: 0o660, group: 4 });
    expect(statSync(path)).toMatchObject({ uid: 0, gid: 4 });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    // Connected before there is anybody to accept.
    using socket = new DescriptorSocket(path);
    const child = spawn("python3", ["-c", server], { stdio: ["ignore", "ignore", "inherit", listening] });
    closeSync(listening);
    const all = Promise.withResolvers<void>();
    let said = "";
    socket.receive((text) => {
      if (text === undefined) all.resolve();
      else said += text;
      if (said !== "hello") return;
      const file = openSync(`${folder.path}/secret`, "r");
      socket.send("file", file);
      closeSync(file);
    });
    await Promise.all([all.promise, once(child, "exit")]);
    expect(said).toBe("hellofile:content");
  });

  test("a path that the kernel would cut short is refused", () => {
    const path = `/tmp/${"x".repeat(108)}`;
    for (const body of [() => listenUnix(path, { mode: 0o600, group: 0 }), () => new DescriptorSocket(path)])
      expect(body).toThrow("the path of a socket has more than 107 bytes");
  });

  test("connecting to nothing is an error with the kernel's reason", () => {
    expect(() => new DescriptorSocket("/tmp/tlinux-no-such-socket")).toThrow("connect /tmp/tlinux-no-such-socket");
  });
});
