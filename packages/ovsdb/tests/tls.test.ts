import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ConnectError, openDatabase } from "../src/mod.ts";
import { createDatabase, folder, freePort, live, Resources, schema, TestServer } from "./server.ts";

/** A certificate authority with a certificate for each name, made by openssl. */
function authority(directory: string, name: string, holders: readonly string[]): void {
  const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: directory, stdio: "ignore" });
  const subject = (who: string) => `/CN=${name} ${who}`;
  const extensions = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:db.example\n";
  writeFileSync(join(directory, "extensions"), extensions);
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    subject("authority"),
    "-keyout",
    `${name}-ca.key`,
    "-out",
    `${name}-ca.pem`,
  );
  for (const holder of holders) {
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      subject(holder),
      "-keyout",
      `${holder}.key`,
      "-out",
      `${holder}.csr`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${holder}.csr`,
      "-CA",
      `${name}-ca.pem`,
      "-CAkey",
      `${name}-ca.key`,
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      "extensions",
      "-out",
      `${holder}.pem`,
    );
  }
}

describe("a server behind TLS", live, () => {
  test("is used with certificates of its authority only", { timeout: 30_000 }, async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const at = (file: string) => join(path, file);
    authority(path, "good", ["server", "client"]);
    authority(path, "bad", ["stranger"]);
    const port = await freePort();
    // With its authority's certificate behind its own, a client can keep that authority (ovs-pki does the same).
    const remote = `ssl:127.0.0.1:${port}`;
    const server = stack.use(
      new TestServer(path, createDatabase(path), [
        `--remote=pssl:${port}:127.0.0.1`,
        `--private-key=${at("server.key")}`,
        `--certificate=${at("server.pem")}`,
        `--ca-cert=${at("good-ca.pem")}`,
        `--peer-ca-cert=${at("good-ca.pem")}`,
      ]),
    );
    await server.start();
    const tls = { privateKey: at("client.key"), certificate: at("client.pem"), caCertificate: at("good-ca.pem") };
    const db = stack.use(await openDatabase({ remote, schema, tls }));
    await db.transact((tx) => tx.insert("Item", { name: "a" }));
    stack.use(await openDatabase({ remote, schema, tls: { ...tls, serverName: "db.example" } }));

    const refused = (other: typeof tls & { serverName?: string }) =>
      assert.rejects(openDatabase({ remote, schema, tls: other, timeout: 500 }), ConnectError);
    await refused({ ...tls, caCertificate: at("bad-ca.pem") });
    await refused({ ...tls, privateKey: at("stranger.key"), certificate: at("stranger.pem") });
    await refused({ ...tls, serverName: "other.example" });
    await refused({ ...tls, privateKey: at("missing.key") });
    await assert.rejects(openDatabase({ remote, schema, timeout: 200 }), ConnectError);

    const kept = { ...tls, caCertificate: at("kept-ca.pem"), bootstrap: true };
    stack.use(await openDatabase({ remote, schema, tls: kept }));
    assert.ok(existsSync(kept.caCertificate));
    stack.use(await openDatabase({ remote, schema, tls: { ...kept, bootstrap: false } }));
  });
});

describe("a client that is called", live, () => {
  test("serves itself from the server that calls", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const port = await freePort();
    const server = stack.use(new TestServer(path, createDatabase(path), [`--remote=tcp:127.0.0.1:${port}`]));
    const opening = openDatabase({ remote: `ptcp:${port}:127.0.0.1`, schema });
    await server.start();
    const db = stack.use(await opening);
    await db.transact((tx) => tx.insert("Item", { name: "a" }));
  });
});
