import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { codeOf, HttpSite } from "./http-site.ts";

setDefaultTimeout(60_000);

const LAB = "name: small\nnodes:\n  pc: {kind: netns}\n";
const TOKENS = "# who may come\nanna read anna-has-a-long-token\nbert operate bert-has-a-long-token\n";

describe.skipIf(!requires("root", "openvswitch", "openssl", "tcpdump", "ping"))(
  "who may come to a yard over HTTP",
  () => {
    let before: Machine;
    let site: HttpSite;

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await HttpSite.create();
      site.write("tokens", TOKENS);
      await site.up(LAB);
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(site.yard) });
    });

    test("whoever has no token, or a wrong one, gets nothing", async () => {
      for (const path of ["/", "/api/v1/yard", "/api/v1/openapi.json", "/metrics", "/api/v1/events"]) {
        const nothing = await fetch(`${site.base}${path}`);
        expect([nothing.status, nothing.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="yard"']);
        expect(await codeOf(nothing)).toBe("http.token-wanted");
      }
      const wrong = await site.fetch("/api/v1/yard", { headers: { authorization: "Bearer wrong" } });
      expect(wrong.status).toBe(401);
      const page = await fetch(`${site.base}/`, { headers: { accept: "text/html" } });
      expect([page.status, (await page.text()).includes("yard serve")]).toEqual([401, true]);
    });

    test("a stranger's page gets nothing: another origin, another site, a name pointed here", async () => {
      const refusals = [
        [{ origin: "http://evil.example" }, 403, "http.foreign-origin"],
        [{ origin: "null" }, 403, "http.foreign-origin"],
        [{ origin: "http://127.0.0.1:1" }, 403, "http.foreign-origin"],
        [{ "sec-fetch-site": "cross-site" }, 403, "http.foreign-origin"],
        [{ "sec-fetch-site": "same-site" }, 403, "http.foreign-origin"],
        [{ host: "evil.example" }, 421, "http.wrong-host"],
        [{ host: `evil.example:${new URL(site.base).port}`, origin: "http://evil.example" }, 421, "http.wrong-host"],
      ] as const;
      for (const [headers, status, code] of refusals) {
        const refused = await site.fetch("/api/v1/yard", { headers: { ...headers } });
        expect([headers, refused.status, await codeOf(refused)]).toEqual([headers, status, code]);
        expect(refused.headers.get("access-control-allow-origin")).toBeNull();
      }
      const talk = site.open("/nodes/pc/exec?command=id", { origin: "http://evil.example" });
      await talk.until(({ closed }) => closed !== undefined);
      expect([talk.isOpen, talk.texts]).toEqual([false, []]);
      const own = await site.fetch("/api/v1/yard", { headers: { origin: site.base, "sec-fetch-site": "same-origin" } });
      expect(own.status).toBe(200);
      const plain = {
        method: "POST",
        body: '{"name":"x","spec":{"kind":"netns"}}',
        headers: { "content-type": "text/plain" },
      };
      expect((await site.fetch("/api/v1/nodes", plain)).status).toBe(400);
    });

    test("the printed link begins a session, whose cookie no script reads and which can be ended", async () => {
      const begun = await fetch(`${site.base}/?token=${site.token}`, { redirect: "manual" });
      expect([begun.status, begun.headers.get("location"), begun.headers.get("referrer-policy")]).toEqual([
        303,
        "/",
        "no-referrer",
      ]);
      const cookie = begun.headers.get("set-cookie") ?? "";
      expect(cookie).toMatch(/^switchyard_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
      expect(cookie).not.toContain(site.token);
      const headers = { cookie: cookie.split(";")[0] ?? "" };
      const ask = (method: string, path: string) => fetch(`${site.base}${path}`, { method, headers });
      expect((await ask("GET", "/api/v1/yard")).status).toBe(200);
      expect((await ask("GET", "/")).status).toBe(200);
      const ended = await ask("DELETE", "/api/v1/session");
      expect([ended.status, ended.headers.get("set-cookie")]).toEqual([200, expect.stringContaining("Max-Age=0")]);
      expect((await ask("GET", "/api/v1/yard")).status).toBe(401);
      const bearer = await site.fetch("/api/v1/session", { method: "POST" });
      expect(bearer.headers.get("set-cookie")).toContain("HttpOnly");
      expect((await fetch(`${site.base}/?token=wrong`, { redirect: "manual" })).status).toBe(401);
    });

    test("root comes by the socket without a token, which is root's and the group's alone", async () => {
      const answer = await fetch("http://yard/api/v1/session", { unix: site.socket });
      expect(await answer.json()).toMatchObject({ name: "unix", role: "operate" });
      const { mode, uid } = statSync(site.socket);
      expect([mode & 0o777, uid]).toEqual([0o660, 0]);
    });

    test("the role read may look at everything and change nothing", async () => {
      await site.serve({ argv: ["--tokens", "tokens"] });
      const anna = { authorization: "Bearer anna-has-a-long-token" };
      expect(await (await site.fetch("/api/v1/session", { headers: anna })).json()).toMatchObject({
        name: "anna",
        role: "read",
      });
      await site.up(LAB.replace("netns}", "netns, env: {TOKEN: hunter2}} # for anna"));
      const shown = await site.ask("GET", "/labs/small", undefined, anna);
      expect([shown.status, shown.body.text]).toEqual([200, expect.stringContaining("# for anna")]);
      const saved = await site.fetch("/api/v1/labs/small/text", { headers: anna });
      expect(await saved.text()).toContain('env: {TOKEN: "(hidden)"}} # for anna');
      await site.up(LAB);
      for (const path of ["/labs/small", "/history", "/yard", "/nodes/pc"])
        expect((await site.ask("GET", path, undefined, anna)).text).not.toContain("hunter2");
      expect((await site.ask("GET", "/labs/small")).body.previous).toContain("hunter2");
      for (const [method, path, body] of [
        ["PUT", "/labs/small", { text: LAB }],
        ["DELETE", "/nodes/pc", undefined],
        ["DELETE", "/yard", undefined],
        ["POST", "/nodes/pc/exec", { command: ["id"] }],
        ["GET", "/nodes/pc/nics/eth0/capture.pcapng", undefined],
      ] as const) {
        const refused = await site.ask(method, path, body, anna);
        expect([path, refused.status, refused.body.code]).toEqual([path, 403, "http.not-permitted"]);
      }
      const talk = site.open("/nodes/pc/exec?command=id", anna);
      await talk.until(({ closed }) => closed !== undefined);
      expect(talk.texts).toEqual([]);
      expect((await site.ask("GET", "/nodes/pc")).status).toBe(200);
    });

    test("beyond the loopback nothing is served without TLS and tokens", async () => {
      await expect(site.serve({ address: "0.0.0.0:0" })).rejects.toThrow("--tls-cert, --tls-key and --tokens");
      await expect(site.serve({ address: "0.0.0.0:0", argv: ["--tokens", "tokens"] })).rejects.toThrow("--tls-cert");
      site.write("bad", "anna read short\n");
      await expect(site.serve({ argv: ["--tokens", "bad"] })).rejects.toThrow("line 1 of the tokens");
      const [cert, key] = [`${site.folder}/c.pem`, `${site.folder}/k.pem`];
      const subject = ["-subj", "/CN=lab.example", "-addext", "subjectAltName=IP:127.0.0.1"];
      await run([
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        cert,
        ...subject,
      ]);
      const argv = ["--tokens", "tokens", "--tls-cert", cert, "--tls-key", key, "--host", "lab.example"];
      await site.serve({ address: "0.0.0.0:0", argv });
      const base = site.base.replace("0.0.0.0", "127.0.0.1");
      const ask = (headers: Record<string, string>) =>
        fetch(`${base}/api/v1/session`, { headers, tls: { ca: Bun.file(cert) } }).then((answer) => answer.status);
      const bert = { authorization: "Bearer bert-has-a-long-token" };
      expect(await ask(bert)).toBe(200);
      expect(await ask({})).toBe(401);
      expect(await ask({ ...bert, host: "lab.example" })).toBe(200);
      expect(await ask({ ...bert, host: "evil.example" })).toBe(421);
      await expect(fetch(`${base.replace("https", "http")}/api/v1/session`, { headers: bert })).rejects.toThrow();
    });

    test("what is too large is refused while it comes, and what comes too fast for a while", async () => {
      await site.serve({ argv: ["--rate", "20"] });
      const large = await site.ask("POST", "/parse", { text: "x".repeat(11 << 20) });
      expect([large.status, large.body.code]).toEqual([413, "http.too-large"]);
      expect((await site.ask("POST", "/parse", { text: "x".repeat(5 << 20) })).status).toBe(400);
      const burst = await Promise.all(Array.from({ length: 80 }, () => site.fetch("/api/v1/session")));
      const slowed = burst.filter(({ status }) => status === 429);
      expect(slowed.length).toBeGreaterThan(20);
      expect(slowed[0]?.headers.get("retry-after")).toBe("1");
      await Bun.sleep(1_100);
      expect((await site.fetch("/api/v1/session")).status).toBe(200);
      expect(site.audit().filter(({ status }) => status === 429)).toEqual([
        expect.objectContaining({ who: "link", code: "http.too-fast" }),
      ]);
      const guesses = [];
      for (let at = 0; at < 15; at++)
        guesses.push((await site.fetch("/", { headers: { authorization: `Bearer ${at}` } })).status);
      expect(guesses.filter((status) => status === 429).length).toBeGreaterThan(0);
      // Who knows the token is not kept out by who does not.
      expect((await site.fetch("/api/v1/session")).status).toBe(200);
    });

    test("what is no HTTP is closed, and the server goes on", async () => {
      await site.serve();
      const { port } = new URL(site.base);
      const socket = connect(Number(port), "127.0.0.1");
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.on("error", () => {});
      socket.resume().write("\u0016\u0003\u0001 nothing of the kind\r\n\r\n");
      await closed;
      expect((await site.fetch("/api/v1/session")).status).toBe(200);
    });

    test("the audit log tells who did what and what came of it, and no secrets", async () => {
      await site.ask("POST", "/nodes", { name: "told", spec: { kind: "netns", env: { PASSWORD: "secret-value" } } });
      await site.ask("POST", "/nodes/told/exec", { command: ["sh", "-c", "echo secret-value"] });
      await site.ask("DELETE", "/nodes/nobody");
      await site.fetch("/api/v1/nodes", { headers: { authorization: "Bearer secret-value" } });
      const lines = site.audit();
      const of = (what: string) => lines.filter((line) => line.what === what).at(-1);
      expect(of("addNode")).toMatchObject({
        who: "link",
        role: "operate",
        from: "127.0.0.1",
        method: "POST",
        target: "/api/v1/nodes",
        status: 200,
      });
      expect(of("runInNode")).toMatchObject({ target: "/api/v1/nodes/told/exec", note: "exec sh" });
      expect(of("removeNode")).toMatchObject({ status: 404, code: "node.unknown" });
      expect(lines.filter(({ status }) => status === 401).at(-1)).toMatchObject({
        who: "-",
        code: "http.token-wanted",
      });
      expect(lines).toContainEqual(
        expect.objectContaining({ who: "anna", what: "putLab", status: 403, code: "http.not-permitted" }),
      );
      expect(lines).toContainEqual(expect.objectContaining({ status: 421, code: "http.wrong-host" }));
      const text = JSON.stringify(lines);
      for (const secret of ["secret-value", site.token, "anna-has-a-long-token"]) expect(text).not.toContain(secret);
      expect(statSync(`${site.folder}/state/audit/${site.yard}.jsonl`).mode & 0o777).toBe(0o640);
    });

    test("a server that is told to stop ends at once, and leaves what it made", async () => {
      const [socket, talk] = [site.socket, site.open("/nodes/pc/exec?command=sleep&command=60")];
      await talk.until(({ isOpen }) => isOpen);
      expect(await site.stop()).toBe(0);
      expect(existsSync(socket)).toBe(false);
      await talk.until(({ closed }) => closed !== undefined);
      const told = site.audit().filter(({ what, status }) => what === "execNode" && status === 101);
      expect(told.map(({ note }) => note)).toEqual(["exec sleep", expect.stringMatching(/^exec sleep ended/)]);
      expect(JSON.parse(await site.run("ps", "--json")).nodes).toContainEqual(
        expect.objectContaining({ name: "pc", state: "running" }),
      );
    });

    test("a server that was killed leaves nothing in the way of the next", async () => {
      await site.serve();
      await site.stop("SIGKILL");
      expect(existsSync(site.socket)).toBe(true);
      await site.serve();
      expect((await fetch("http://yard/api/v1/session", { unix: site.socket })).status).toBe(200);
    });

    test("two servers do not take each other's socket", async () => {
      await site.serve();
      const second = site.run("serve", "--http", "127.0.0.1:0");
      await expect(second).rejects.toThrow(/another server of yard|failed with exit code 1/);
      expect((await site.fetch("/api/v1/session")).status).toBe(200);
    });

    test("an agent that is told to serves too, and ends with its yard", async () => {
      await using own = await HttpSite.create({ verb: "agent" });
      await own.up("name: small\nnetworks: {lan: {cidr: 10.3.0.0/24}}\nnodes:\n  pc: {kind: netns, nics: [lan]}\n");
      const talk = own.open("/nodes/pc/nics/eth0/capture?count=1");
      await talk.until(({ texts }) => texts.some(({ listening }) => listening === true));
      const ran = await own.done("POST", "/nodes/pc/exec", { command: ["ping", "-c", "1", "-W", "1", "10.3.0.9"] });
      expect(ran.stdout).toContain("1 packets transmitted");
      await talk.until(({ closed }) => closed !== undefined);
      expect(talk.texts.at(-1)).toMatchObject({ captured: 1 });
      expect(await own.done("DELETE", "/yard")).toEqual({ gone: true });
      expect(await own.ended()).toBe(0);
    });
  },
);
