import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { serveYard } from "./zeroos.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "openssl", "python3-redis"))("yard serve --zeroos", () => {
  const yard = yardName();
  const secret = "not a word";
  let before: Machine;
  let site: Site;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  test("lets root's programs in without a password, others not, and nobody ask for too much", async () => {
    await using served = await serveYard(site, yard);
    await served.passes("door", "trusted");
    await served.passes("door", "stranger");
    await served.passes("door", "limits");
  });

  test("lets in who knows the password, from the environment or a file, which never shows", async () => {
    const env = { SWITCHYARD_ZEROOS_PASSWORD: secret };
    await using served = await serveYard(site, yard, [], env);
    await served.passes("door", "password");
    expect(await run(["ps", "-o", "args=", "-p", String(served.pid)])).not.toContain(secret);
  });

  test("speaks TLS", async () => {
    const [key, cert, word] = ["k.pem", "c.pem", "pw"].map((name) => site.write(name, `${secret}\n`));
    const subject = ["-subj", "/CN=localhost", "-days", "2", "-keyout", key ?? "", "-out", cert ?? ""];
    await run([
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      ...subject,
    ]);
    const options = ["--tls-cert", cert ?? "", "--tls-key", key ?? "", "--password-file", word ?? ""];
    await using served = await serveYard(site, yard, options);
    await served.passes("door", "encrypted");
  });

  test("says what is wrong with how it is called", async () => {
    const serve = (...argv: readonly string[]) => site.yard(yard, ["serve", ...argv]);
    const open = await serve("--zeroos", "0.0.0.0:0");
    expect(open).toMatchObject({ code: 1, stderr: expect.stringContaining("[zeroos.password-needed]") });
    expect((await serve()).stderr).toContain("[usage.wrong]");
    for (const argv of [
      ["--zeroos", "localhost:1"],
      ["--zeroos", "127.0.0.1:70000"],
      ["--zeroos", "70000"],
      ["--zeroos", "127.0.0.1:0", "--root", "x"],
      ["--zeroos", "127.0.0.1:0", "--tls-cert", "c.pem"],
      ["--zeroos", "127.0.0.1:0", "--password-file", "absent"],
    ])
      expect(await serve(...argv)).toMatchObject({ code: 2 });
    await using served = await serveYard(site, yard);
    // A port alone is one of the loopback's.
    for (const address of [`127.0.0.1:${served.port}`, String(served.port)]) {
      const taken = await serve("--zeroos", address);
      expect(taken.code).toBe(1);
      expect(taken.stderr).toMatch(new RegExp(`127.0.0.1:${served.port} .*\\[zeroos.not-listening\\]`));
    }
  });
});
