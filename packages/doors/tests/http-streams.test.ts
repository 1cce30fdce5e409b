import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { codeOf, Events, HttpSite } from "./http-site.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "tcpdump", "tshark"] as const;
const LAB = `name: streams
networks:
  lan: {cidr: 10.1.0.0/24}
nodes:
  web: {kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [lan]}
  pc: {kind: netns, nics: [lan]}
`;

describe.skipIf(!requires(...needs))("streams of a yard over HTTP", () => {
  let before: Machine;
  let site: HttpSite;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await HttpSite.create();
    await site.up(LAB);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(site.yard) });
  });

  test("events tell what becomes of nodes, what the agent is at, and when all is so", async () => {
    using events = new Events(site);
    await events.find(({ event }) => event === "hello");
    await site.done("POST", "/nodes", { name: "more", spec: { kind: "netns", nics: ["lan"] } });
    const { data: planned } = await events.find(({ event, data }) => event === "planned" && data.steps > 0);
    expect(planned.first).toContainEqual(expect.stringContaining("+ node more: create namespace"));
    await events.find(({ event, data }) => event === "node" && data.name === "more" && data.value?.state === "running");
    await events.find(({ event, data }) => event === "converged" && data.cfg === planned.cfg && data.failures === 0);
    await events.find(({ event, data }) => event === "config" && data.applied >= planned.cfg);
    await site.done("DELETE", "/nodes/more");
    await events.find(({ event, data }) => event === "node" && data.name === "more" && data.value === null);
    const { file } = await site.done("GET", "/labs/streams");
    writeFileSync(file, `${LAB}# by an editor\n`);
    const { data: text } = await events.find(({ event, data }) => event === "text" && data.lab === "streams");
    expect(await site.done("GET", "/labs/streams")).toMatchObject({ etag: text.etag, text: `${LAB}# by an editor\n` });
  });

  test("a client that comes back gets what it has missed, once and in order; one that cannot is told so", async () => {
    const first = new Events(site);
    const hello = await first.find(({ event }) => event === "hello");
    await site.done("PUT", "/nodes/pc/nics/eth0/spy", { on: true });
    const last = await first.find(({ event, data }) => event === "node" && data.value.nics[0].spy !== null);
    first[Symbol.dispose]();
    await site.done("PUT", "/nodes/pc/nics/eth0/spy", { on: false });
    using again = new Events(site, "", { "last-event-id": last.id ?? "" });
    const missed = await again.find(({ event, data }) => event === "node" && data.value.nics[0].spy === null);
    using whole = new Events(site, `?after=${hello.id}`);
    await whole.find(({ id }) => id === missed.id);
    const ids = whole.got.map(({ id }) => Number(id?.split("-")[1]));
    expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
    expect(ids[0]).toBe(Number(hello.id?.split("-")[1]) + 1);
    expect(again.got.some(({ id }) => id === last.id)).toBe(false);
    for (const after of ["beef0123-1", "nonsense"]) {
      using reset = new Events(site, "", { "last-event-id": after });
      expect((await reset.find(() => true)).event).toBe("reset");
    }
  });

  test("traffic is told as it passes, and that it has ended", async () => {
    using events = new Events(site, "?traffic=true");
    await events.find(({ event }) => event === "hello");
    const talk = site.open("/nodes/pc/exec?command=ping&command=-c&command=25&command=-i&command=0.1&command=10.1.0.1");
    const busy = await events.find(({ event, data }) => event === "traffic" && data.nics["pc:eth0"]?.outFrames > 3);
    expect(busy.id).toBeUndefined();
    expect(busy.data.nics["web:eth0"].inBits).toBeGreaterThan(1_000);
    await talk.until(({ closed }) => closed !== undefined);
    await events.find(({ event, data }) => event === "traffic" && data.nics["pc:eth0"]?.outFrames === 0);
  });

  test("a command has a terminal of the size that is asked for, which follows, and tells its exit code", async () => {
    const talk = site.open("/nodes/web/exec?command=sh&tty=true&columns=101&rows=33");
    await talk.until(({ isOpen }) => isOpen);
    talk.type("stty size; tty\n");
    await talk.until(({ printed }) => /33 101\r\n\/dev\/pts\/\d/.test(printed));
    talk.send(JSON.stringify({ resize: { columns: 77, rows: 22 } }));
    talk.type("stty size; echo ü; exit 3\n");
    await talk.until(({ closed }) => closed !== undefined);
    expect(talk.printed).toContain("22 77\r\n");
    expect(talk.printed).toContain("ü\r\n");
    expect([talk.texts, talk.closed]).toEqual([[{ exitCode: 3 }], { code: 1000 }]);
    const shell = site.open("/nodes/pc/shell?columns=90&rows=20");
    await shell.until(({ isOpen }) => isOpen);
    shell.type("exec ip -br link show eth0\n");
    await shell.until(({ closed }) => closed !== undefined);
    expect(shell.printed).toContain("UP");
  });

  test("without a terminal input, output and errors are apart, and input can end", async () => {
    const talk = site.open("/nodes/web/exec?command=sh&command=-c&command=wc+-c;+echo+no+>%262");
    await talk.until(({ isOpen }) => isOpen);
    for (let at = 0; at < 20; at++) talk.send(new Uint8Array(50_000));
    talk.send(JSON.stringify({ end: true }));
    await talk.until(({ closed }) => closed !== undefined);
    const of = (mark: number) =>
      talk.binary.filter((message) => message[0] === mark).map((message) => message.subarray(1).toString());
    expect([of(1).join(""), of(2).join(""), talk.texts]).toEqual(["1000000\n", "no\n", [{ exitCode: 0 }]]);
  });

  test("a command that prints more than its reader takes waits, and all of it comes", async () => {
    const talk = site.open("/nodes/web/exec?command=head&command=-c&command=50000000&command=/dev/zero");
    await talk.until(({ closed }) => closed !== undefined, 30_000);
    expect(Buffer.concat(talk.binary).length - talk.binary.length).toBe(50_000_000);
    expect(talk.texts).toEqual([{ exitCode: 0 }]);
  });

  test("a client that leaves takes its command with it", async () => {
    const talk = site.open("/nodes/web/exec?command=sh&command=-c&command=echo+begun;+exec+sleep+4321");
    await talk.until(({ printed }) => printed.includes("begun"));
    talk.leave();
    await talk.until(({ closed }) => closed !== undefined);
    const gone = async () => {
      const { stdout } = await site.done("POST", "/nodes/web/exec", { command: ["ps"] });
      return !stdout.includes("sleep 4321");
    };
    const over = Date.now() + 10_000;
    while (!(await gone())) {
      if (Date.now() > over) throw new Error("the command goes on");
      await Bun.sleep(100);
    }
  });

  test("what cannot be run is told as a problem, before or in the WebSocket", async () => {
    const wrong = site.open("/nodes/web/exec?command=sh");
    await wrong.until(({ isOpen }) => isOpen);
    wrong.send("no control");
    await wrong.until(({ closed }) => closed !== undefined);
    expect([wrong.texts[0].error.code, wrong.closed]).toEqual(["http.bad-body", { code: 1007 }]);
    const refused = await site.fetch("/api/v1/nodes/wbe/exec?command=sh", {
      headers: {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      },
    });
    expect([refused.status, await codeOf(refused)]).toEqual([404, "node.unknown"]);
    const console = site.open("/nodes/web/console");
    await console.until(({ closed }) => closed !== undefined);
    expect(console.texts).toEqual([]);
  });

  test("a capture is live and valid pcapng with every frame, over a WebSocket and as a file", async () => {
    const talk = site.open("/nodes/web/nics/eth0/capture?filter=icmp&count=6");
    await talk.until(({ texts }) => texts.some(({ listening }) => listening === true));
    expect(await site.done("GET", "/captures")).toEqual([expect.objectContaining({ node: "web", nic: "eth0" })]);
    // Its answer begins once frames are seen.
    const file = await site.fetch("/api/v1/nodes/pc/nics/0/capture.pcapng?filter=icmp&count=6");
    expect(await site.done("GET", "/captures")).toHaveLength(2);
    await site.done("POST", "/nodes/pc/exec", { command: ["ping", "-c", "3", "-i", "0.1", "10.1.0.1"] });
    await talk.until(({ closed }) => closed !== undefined);
    expect(talk.texts).toEqual([{ listening: true }, { captured: 6, received: 6, dropped: 0 }]);
    for (const [name, bytes] of [
      ["ws", Buffer.concat(talk.binary)],
      ["get", Buffer.from(await file.arrayBuffer())],
    ] as const) {
      const path = join(site.folder, `${name}.pcapng`);
      writeFileSync(path, bytes);
      const lines = await run(["tshark", "-r", path, "-T", "fields", "-e", "icmp.type", "-e", "frame.interface_name"]);
      const nic = name === "ws" ? "web:eth0" : "pc:eth0";
      expect(lines.trim().split("\n")).toEqual([8, 0, 8, 0, 8, 0].map((type) => `${type}\t${nic}`));
    }
    const told = site.open("/nodes/web/nics/eth0/capture");
    await told.until(({ texts }) => texts.length > 0);
    told.send(JSON.stringify({ end: true }));
    await told.until(({ closed }) => closed !== undefined);
    expect(told.texts.at(-1)).toMatchObject({ dropped: 0 });
    const bad = site.open("/nodes/web/nics/eth0/capture?filter=no+such+words");
    await bad.until(({ closed }) => closed !== undefined);
    expect(bad.texts[0].error.code).toBe("capture.bad-filter");
    expect(await site.done("GET", "/captures")).toEqual([]);
  });

  test("an agent that is killed in the middle is told, and another one goes on with the change", async () => {
    using events = new Events(site);
    await events.find(({ event }) => event === "hello");
    const { agent } = await site.done("GET", "/yard");
    const many = `${LAB}  host: {kind: netns, count: 60, nics: [lan]}\n`;
    const change = site.done("PUT", "/labs/streams", { text: many });
    await events.find(({ event, data }) => event === "planned" && data.steps > 60);
    process.kill(agent, "SIGKILL");
    await events.find(({ event, data }) => event === "agent" && data.running === false);
    expect((await change).failures).toEqual([]);
    await events.find(({ event, data }) => event === "agent" && data.running === true);
    const { nodes, agent: next } = await site.done("GET", "/yard");
    expect([nodes.length, nodes.every(({ state }: { state: string }) => state === "running"), next === agent]).toEqual([
      62,
      true,
      false,
    ]);
    // And one that is killed while nothing is asked of it is there again for what is asked next.
    process.kill(next, "SIGKILL");
    await events.find(
      ({ event, data }) =>
        event === "agent" && data.running === false && events.got.filter((it) => it.event === "agent").length > 2,
    );
    expect((await site.done("PUT", "/labs/streams", { text: LAB })).changes.removed).toHaveLength(60);
    expect(readFileSync(join(site.folder, "state/audit", `${site.yard}.jsonl`), "utf8")).toContain(
      '"what":"watchCapture"',
    );
  });
});
