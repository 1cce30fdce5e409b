import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import fc from "fast-check";
import { Events, HttpSite, type Json } from "./http-site.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "tcpdump", "tshark", "iperf3"] as const;

const office = (more = "") => `name: office
# What people write beside is theirs.
networks:
  lan01: {cidr: 10.1.0.0/24}
  lan02: {}
nodes:
  web: {kind: container, runtime: oci, image: busybox, command: [sh, -c, "echo ready; sleep inf"], nics: [lan01]}
  pc: {kind: netns, nics: [lan01, {network: lan02, ip: 10.2.0.1/24}]}
  other: {kind: netns, nics: [{network: lan02, ip: 10.2.0.2/24}]}
  wan: {kind: a2b, nics: [lan01, lan02], impair: {delay: 1ms}}
${more}links:
  - endpoints: ["pc:wire", "other:wire"]
checks:
  - ping: {from: pc, to: web}
`;

describe.skipIf(!requires(...needs))("a yard over HTTP", () => {
  let before: Machine;
  let site: HttpSite;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await HttpSite.create({ argv: ["--rate", "0"] });
    await site.up(office());
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(site.yard) });
  });

  test("tells who asks, what there is, and what the host has", async () => {
    expect(await site.done("GET", "/session")).toMatchObject({ name: "link", role: "operate", yard: site.yard });
    const yard = await site.done("GET", "/yard");
    expect(yard.labs).toEqual([expect.objectContaining({ name: "office", state: "up" })]);
    expect((await site.done("GET", "/nodes?lab=office")).map(({ name }: { name: string }) => name)).toEqual([
      "web",
      "pc",
      "other",
      "wan",
    ]);
    expect(await site.done("GET", "/nodes?lab=none")).toEqual([]);
    expect(await site.done("GET", "/networks")).toHaveLength(2);
    expect(await site.done("GET", "/captures")).toEqual([]);
    expect(await site.done("GET", "/networks/lan01")).toMatchObject({ cidr: ["10.1.0.0/24"] });
    expect(await site.done("GET", "/links")).toEqual([expect.objectContaining({ name: "pc:wire--other:wire" })]);
    const own = (await site.done("GET", "/yards")).find(({ name }: { name: string }) => name === site.yard);
    expect(own).toMatchObject({ running: true, labs: 1, nodes: 4 });
    const leases = await site.done("GET", "/leases");
    expect(leases).toContainEqual(expect.objectContaining({ node: "web", nic: "eth0", addresses: ["10.1.0.1/24"] }));
    expect((await site.done("GET", "/key")).key).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    const findings = await site.done("GET", "/doctor");
    expect(findings).toContainEqual(expect.objectContaining({ name: "root", state: "ok" }));
  });

  test("shows a lab's text, plans an edit without making it, makes it, and goes back", async () => {
    const lab = await site.done("GET", "/labs/office");
    expect(lab).toMatchObject({ text: office(), previous: null });
    const edited = office("  extra: {kind: netns, nics: [lan02]}\n");
    const plan = await site.done("PUT", "/labs/office?dry_run=true", { text: edited });
    expect(plan.changes).toEqual({ added: [{ what: "node", name: "extra" }], changed: [], removed: [] });
    expect(plan.plan).toContainEqual(expect.objectContaining({ do: "namespace-create", subject: "node extra" }));
    expect((await site.ask("GET", "/nodes/extra")).status).toBe(404);
    expect((await site.done("GET", "/labs/office")).text).toBe(office());

    const made = await site.done("PUT", "/labs/office", { text: edited });
    expect(made).toMatchObject({ failures: [], previous: office(), plan: null });
    expect((await site.done("GET", "/nodes/extra")).state).toBe("running");
    const after = await site.done("GET", "/labs/office");
    expect(after).toMatchObject({ text: edited, previous: office(), etag: made.etag });
    expect(readFileSync(after.file, "utf8")).toBe(edited);

    const undone = await site.done("PUT", "/labs/office", { text: after.previous });
    expect(undone.changes.removed).toEqual([{ what: "node", name: "extra" }]);
    expect((await site.done("GET", "/labs/office")).previous).toBe(edited);
    expect((await site.done("POST", "/labs/office/up")).changes).toEqual({ added: [], changed: [], removed: [] });
    const saved = await site.ask("GET", "/labs/office/text");
    expect([saved.headers.get("content-type"), saved.text]).toEqual(["application/yaml; charset=utf-8", office()]);
  });

  test("does not overwrite a text that somebody else has changed", async () => {
    const stale = await site.ask("PUT", "/labs/office", { text: office() }, { "if-match": '"somebody-elses"' });
    expect([stale.status, stale.body.code]).toEqual([412, "http.changed-since"]);
    const { etag } = await site.done("GET", "/labs/office");
    expect((await site.ask("PUT", "/labs/office", { text: office() }, { "if-match": etag })).status).toBe(200);
  });

  test("refuses a lab with errors, all of them at once and with their places, before anything is touched", async () => {
    const broken = office().replace("[lan01]", "[lan9]").replace("kind: a2b", "kind: a2c");
    const refused = await site.ask("PUT", "/labs/office", { text: broken });
    expect(refused.status).toBe(422);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    const parsed = await site.done("POST", "/parse", { text: broken });
    expect(parsed.problem.code).toBe(refused.body.code);
    expect(refused.body.where ?? refused.body.errors[0].where).toMatch(/^office\.yard\.yaml:\d+:\d+$/);
    expect((await site.done("GET", "/labs/office")).text).toBe(office());
    expect(await site.done("POST", "/parse", { text: office() })).toMatchObject({
      name: "office",
      nodes: 4,
      problem: null,
    });
    const other = await site.ask("PUT", "/labs/another", { text: office() });
    expect([other.status, other.body.code]).toEqual([422, "http.lab-name-differs"]);
    const schema = await site.done("GET", "/schemas/lab.schema.json");
    expect(schema).toEqual(
      JSON.parse(readFileSync(new URL("../../../schemas/lab.schema.json", import.meta.url), "utf8")),
    );
  });

  test("adds networks and nodes, and gives, moves and takes nics, each first as a plan", async () => {
    const network = { name: "side", spec: { cidr: "10.9.0.0/24" } };
    const planned = await site.done("POST", "/networks?dry_run=true", network);
    expect(planned.plan).toContainEqual(expect.objectContaining({ do: "bridge-set", subject: "network side" }));
    expect((await site.ask("GET", "/networks/side")).status).toBe(404);
    expect(await site.done("POST", "/networks", network)).toMatchObject({ changed: true, plan: null });
    await site.done("POST", "/nodes", { name: "guest", spec: { kind: "netns", nics: ["side"] } });
    await site.done("POST", "/nodes/guest/nics", { network: "lan01", ip: "10.1.0.77/24" });
    const {
      nics,
      nics: [, { mac }],
    } = await site.done("GET", "/nodes/guest");
    expect(nics.map((nic: { network: string }) => nic.network)).toEqual(["side", "lan01"]);
    expect(await site.done("POST", "/pingall", { timeout: 2 })).toMatchObject({
      pairs: expect.arrayContaining([
        expect.objectContaining({ from: "guest", to: "web", roundTrip: expect.any(Number) }),
      ]),
    });
    await site.done("PATCH", "/nodes/guest/nics/eth1", { network: "side" });
    expect(await site.done("GET", "/nodes/guest/nics/1")).toMatchObject({ name: "eth1", network: "side", mac });
    await site.done("PATCH", "/nodes/guest/nics/eth1", { network: "none" });
    expect(await site.done("GET", "/nodes/guest/nics/1")).toMatchObject({ network: null, mac });
    await site.done("DELETE", "/nodes/guest/nics/eth1");

    const ring = await site.done("PUT", "/networks/side/rstp?dry_run=true", { on: true });
    expect(ring.plan).toEqual([expect.objectContaining({ do: "bridge-set", subject: "network side" })]);
    await site.done("PUT", "/networks/side/rstp", { on: true });
    expect((await site.done("POST", "/undo")).step.what).toBe("RSTP on side on");
    const inUse = await site.ask("DELETE", "/networks/side");
    expect([inUse.status, inUse.body.code]).toEqual([409, "network.in-use"]);
    const taken = await site.ask("POST", "/nodes/guest/nics", { network: "side", name: "eth0" });
    expect([taken.status, taken.body.code]).toEqual([409, "nic.name-taken"]);
    const removal = await site.done("DELETE", "/nodes/guest?dry_run=true");
    expect(removal.plan).toContainEqual(expect.objectContaining({ do: "namespace-delete" }));
    await site.done("DELETE", "/nodes/guest");
    await site.done("DELETE", "/networks/side");
    const image = { kind: "container", runtime: "oci", image: "no-such-image", pull: "never" };
    expect((await site.ask("POST", "/nodes", { name: "none", spec: image })).status).toBe(422);
    expect((await site.ask("GET", "/nodes/none")).status).toBe(404);
  });

  test("spies on a nic and impairs nics, links and passages while they are in use", async () => {
    await site.done("PUT", "/nodes/pc/nics/eth0/spy", { on: true });
    expect((await site.done("GET", "/nodes/pc/nics/eth0")).spy).toMatch(/^s_k_/);
    await site.done("PUT", "/nodes/pc/nics/eth0/spy", { on: false });
    await site.done("PATCH", "/nodes/pc/nics/eth0/impair", { forward: { delay: "30ms" } });
    const { pairs } = await site.done("POST", "/pingall", {});
    const pair = pairs.find(({ from, to }: { from: string; to: string }) => from === "pc" && to === "web");
    expect(pair.roundTrip).toBeGreaterThan(25);
    await site.done("PATCH", "/nodes/pc/nics/eth0/impair", { forward: { loss: "1%" }, backward: { rate: "10mbit" } });
    const { impair } = await site.done("GET", "/nodes/pc/nics/eth0");
    expect(impair).toMatchObject({ forward: { delay: "30ms", loss: "1%" } });
    // A packet is followed through the pipe, of the nic that sends and of the one that it is for.
    const { port, bridge: lan } = (await site.done("GET", "/nodes/web")).nics[0];
    const there = await site.done("POST", "/nodes/pc/nics/eth0/trace", { to: { node: "web", nic: "eth0" } });
    expect([there.hops.map((hop: Json) => [hop.bridge.slice(0, 3), hop.by?.slice(0, 3)]), there.outputs]).toEqual([
      [
        ["_i_", undefined],
        ["_b_", "_y_"],
      ],
      [port],
    ]);
    expect(there.hops[1].bridge).toBe(lan);
    const back = await site.done("POST", "/nodes/web/nics/eth0/trace", { to: { node: "pc", nic: "eth0" } });
    expect(back.hops.map((hop: Json) => [hop.bridge.slice(0, 3), hop.by?.slice(0, 3)])).toEqual([
      ["_b_", undefined],
      ["_i_", "_x_"],
    ]);
    expect(back.outputs).toEqual([(await site.done("GET", "/nodes/pc")).nics[0].port]);
    // And through a2b, where everybody gets it.
    const all = await site.done("POST", "/nodes/other/nics/eth0/trace", { protocol: "arp" });
    expect(all.hops.length).toBe(3);
    expect(all.outputs).toContain(port);
    await site.done("PATCH", "/nodes/pc/nics/eth0/impair", { forward: "off", backward: "off" });
    expect((await site.done("GET", "/nodes/pc/nics/eth0")).impair).toBeNull();
    await site.done("PATCH", "/links/other:wire--pc:wire/impair", { forward: { delay: "5ms" } });
    expect((await site.done("GET", "/links"))[0].impair.forward).toEqual({ delay: "5ms" });
    await site.done("PATCH", "/nodes/wan/impair", { backward: { delay: "3ms" } });
    expect((await site.done("GET", "/nodes/wan")).impair.backward).toEqual({ delay: "3ms" });
    const wrong = await site.ask("PATCH", "/nodes/wan/impair", { forward: { dellay: "3ms" } });
    expect([wrong.status, wrong.body.code]).toEqual([400, "http.bad-body"]);
    expect((await site.ask("PATCH", "/nodes/wan/impair", { forward: { delay: "soon" } })).status).toBe(422);
  });

  test("stops a node, first as a plan, and starts it again as it was", async () => {
    const before = await site.done("GET", "/nodes/web");
    const planned = await site.done("POST", "/nodes/web/stop?dry_run=true");
    expect(planned.plan).toContainEqual({
      text: "- node web: stop the oci container",
      do: "container-stop",
      subject: "node web",
    });
    expect((await site.done("GET", "/nodes/web")).stopped).toBe(false);
    expect(await site.done("POST", "/nodes/web/stop?grace=1")).toMatchObject({ changed: true, plan: null });
    const down = await site.done("GET", "/nodes/web");
    expect(down).toMatchObject({ state: "stopped", stopped: true, error: null, pid: null });
    expect(down.nics.map(({ state, error }: { state: string; error: unknown }) => [state, error])).toEqual([
      ["down", null],
    ]);
    expect((await site.done("GET", "/labs/office")).state).toBe("up");
    expect(await (await site.fetch("/metrics")).text()).toContain(
      'switchyard_nodes{state="stopped",kind="container"} 1',
    );
    const inside = await site.ask("POST", "/nodes/web/exec", { command: ["true"] });
    expect([inside.status, inside.body.code, inside.body.hint]).toEqual([
      409,
      "node.not-running",
      "start it: yard start web",
    ]);
    expect((await site.done("POST", "/nodes/web/stop")).changed).toBe(false);
    expect(await site.done("POST", "/nodes/web/start")).toMatchObject({ changed: true });
    const { pid, since, ...after } = await site.done("GET", "/nodes/web");
    expect(after).toEqual({ ...before, pid: undefined, since: undefined, nics: after.nics });
    expect(after.nics).toMatchObject([{ mac: before.nics[0].mac, addresses: before.nics[0].addresses, state: "up" }]);
    expect(pid).not.toBe(before.pid);
    expect((await site.done("POST", "/undo")).step.what).toBe("start web");
    expect((await site.done("GET", "/nodes/web")).stopped).toBe(true);
    await site.done("POST", "/redo");
    expect((await site.done("GET", "/history")).steps.at(-1)).toMatchObject({ what: "start web", undone: false });
    const wan = await site.ask("POST", "/nodes/wan/stop");
    expect([wan.status, wan.body.code]).toEqual([422, "node.not-stoppable"]);
  });

  test("runs commands, checks and measurements, and copies files into a node and out of it", async () => {
    const ran = await site.done("POST", "/nodes/web/exec", {
      command: ["sh", "-c", "cat; echo no >&2; exit 3"],
      input: "yes\n",
    });
    expect(ran).toEqual({ exitCode: 3, stdout: "yes\n", stderr: "no\n", truncated: false });
    const long = await site.done("POST", "/nodes/web/exec", { command: ["sleep", "60"], timeout: 0.3 });
    expect(long.exitCode).toBeNull();
    expect(await site.done("POST", "/checks", { lab: "office" })).toMatchObject({
      ok: true,
      results: [{ name: "ping pc → web" }],
    });
    const measured = await site.done("POST", "/iperf", { from: "pc", to: "web", seconds: 1 });
    expect(measured.bitsPerSecond).toBeGreaterThan(1e6);

    const bytes = crypto.getRandomValues(new Uint8Array(300_000));
    const put = await site.fetch("/api/v1/nodes/web/files?path=/tmp/in.bin&mode=755", { method: "PUT", body: bytes });
    expect(put.status).toBe(200);
    const listed = await site.done("POST", "/nodes/web/exec", { command: ["stat", "-c", "%a %s", "/tmp/in.bin"] });
    expect(listed.stdout).toBe("755 300000\n");
    const got = await site.fetch("/api/v1/nodes/web/files?path=/tmp/in.bin");
    expect(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    const folder = await site.fetch("/api/v1/nodes/web/files?path=/tmp");
    expect(folder.headers.get("content-type")).toBe("application/x-tar");
    expect(Buffer.from(await folder.arrayBuffer()).includes("in.bin")).toBe(true);
    expect((await site.ask("GET", "/nodes/pc/files?path=/etc/hosts")).body.code).toBe("cp.host-files");
    expect(await site.fetch("/api/v1/nodes/web/logs").then((answer) => answer.text())).toBe(
      "ready\n".repeat(3), // of all its lives
    );
    expect((await site.ask("GET", "/nodes/pc/logs")).body.code).toBe("node.no-logs");
  });

  test("shows what the switch has learnt, its flows, and the way of a packet", async () => {
    await site.done("POST", "/pingall", {});
    const bridges = await site.done("GET", "/bridges");
    const { port, mac } = (await site.done("GET", "/nodes/web")).nics[0];
    const bridge = bridges.find(({ purpose }: { purpose: string }) => purpose === "network lan01");
    expect(bridge.ports).toContainEqual(expect.objectContaining({ name: port, purpose: "nic web eth0" }));
    expect(await site.done("GET", `/bridges/${bridge.name}/macs`)).toContainEqual(
      expect.objectContaining({ mac, port }),
    );
    expect(await site.done("GET", `/bridges/${bridge.name}/flows`)).toContainEqual(
      expect.objectContaining({ table: 0, priority: 0, actions: "NORMAL" }),
    );
    const traced = await site.done("POST", "/nodes/pc/nics/eth0/trace", {
      to: { node: "web", nic: "eth0" },
      protocol: "tcp",
      port: 80,
    });
    expect(traced).toMatchObject({ bridge: bridge.name, outputs: [port], hops: [{ bridge: bridge.name }] });
    expect(traced.flow).toContain("nw_dst=10.1.0.1,tp_dst=80");
    const written = await site.done("POST", `/bridges/${bridge.name}/trace`, {
      port,
      flow: "arp,dl_dst=ff:ff:ff:ff:ff:ff",
    });
    expect(written.outputs.length).toBeGreaterThan(0);
    expect((await site.ask("GET", "/bridges/_b_none/flows")).status).toBe(404);
    expect((await site.ask("POST", `/bridges/${bridge.name}/trace`, { flow: "icmp -generate" })).status).toBe(400);
  });

  test("has tshark take a frame apart", async () => {
    // Spanning tree's, with padding.
    const frame = `0180c20000000200000000010026424203${"00".repeat(43)}`;
    const { text } = await site.done("POST", "/dissect", { frame: Buffer.from(frame, "hex").toString("base64") });
    expect(text).toContain("Destination: 01:80:c2:00:00:00");
    expect(text).toContain("Spanning Tree Protocol");
    expect((await site.ask("POST", "/dissect", { frame: "no base64" })).status).toBe(400);
  });

  test("makes bridges of the host, and tells virtual machines from others", async () => {
    const name = `tb${process.pid}`;
    await site.done("POST", "/host-bridges", { name, mode: "static", cidr: "10.77.5.1/24" });
    expect(await site.done("GET", "/host-bridges")).toEqual([expect.objectContaining({ name, cidr: "10.77.5.1/24" })]);
    expect(existsSync(`/sys/class/net/${name}/bridge`)).toBe(true);
    expect((await site.ask("PUT", `/host-bridges/${name}/hosts/10.77.5.9`, { mac: "02:00:00:00:00:09" })).status).toBe(
      422,
    );
    await site.done("DELETE", `/host-bridges/${name}`);
    for (const [method, path, body] of [
      ["POST", "/nodes/web/power", { action: "pause" }],
      ["GET", "/nodes/web/snapshots", undefined],
      ["POST", "/nodes/web/snapshots", { name: "s" }],
      ["POST", "/nodes/web/snapshots/s/revert", undefined],
      ["DELETE", "/nodes/web/snapshots/s", undefined],
      ["POST", "/nodes/web/save", { file: join(site.folder, "disk.qcow2") }],
    ] as const)
      expect((await site.ask(method, path, body)).body.code).toBe("node.not-vm");
  });

  test("has figures for Prometheus", async () => {
    const text = await (await site.fetch("/metrics")).text();
    expect(text).toMatch(/^switchyard_nodes\{state="running",kind="netns"\} 2$/m);
    expect(text).toMatch(
      /^switchyard_nic_sent_packets_total\{node="web",nic="eth0",network="lan01",port="_k_\d+_0"\} [1-9]/m,
    );
    expect(text).toMatch(/^switchyard_agent_converge_seconds_count [1-9]/m);
    expect(text).toMatch(/^switchyard_ovsdb_round_trip_seconds_count\{database="Open_vSwitch"\} [1-9]/m);
    expect(text).toMatch(/^switchyard_http_request_seconds_count\{operation="putLab",status="200"\} [1-9]/m);
    for (const line of text.trim().split("\n")) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [-\d.e+]+)$/);
  });

  test("names what cannot be found, nearest first, and what can be asked", async () => {
    const near = await site.ask("GET", "/nodes/wbe");
    expect([near.status, near.body.code, near.body.hint]).toEqual([404, "node.unknown", "did you mean web?"]);
    expect((await site.ask("GET", "/nodes/web/nics/eth7")).body.code).toBe("nic.unknown");
    expect((await site.ask("GET", "/nothing")).body.code).toBe("http.not-found");
    const method = await site.ask("DELETE", "/nodes");
    expect([method.status, method.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
    const head = await site.fetch("/api/v1/nodes", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([
      200,
      "application/json;charset=utf-8",
      "",
    ]);
    expect((await site.fetch("/api/v1/nodes/wbe", { method: "HEAD" })).status).toBe(404);
    expect((await site.fetch("/api/v1/events", { method: "HEAD" })).status).toBe(200);
    expect((await site.fetch("/metrics", { method: "HEAD" })).status).toBe(200);
    expect((await site.fetch("/api/v1/parse", { method: "HEAD" })).status).toBe(405);
    expect((await site.ask("GET", "/nodes?labb=office")).body.code).toBe("http.bad-query");
    expect((await site.ask("GET", "/nodes/web/exec")).status).toBe(426);
  });

  test("foresees whatever is sent to it", async () => {
    const word = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom("web", "eth0", "lan01", "..", "office"));
    const value = fc.oneof({ weight: 3, arbitrary: word }, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>);
    const fields = [
      "name",
      "spec",
      "kind",
      "text",
      "forward",
      "network",
      "command",
      "flow",
      "to",
      "on",
      "action",
      "lab",
    ];
    const body = fc.oneof(fc.dictionary(fc.constantFrom(...fields), value), value);
    const paths = [
      "/nodes",
      "/networks",
      "/parse",
      "/checks",
      "/host-bridges",
      "/labs/A",
      "/nodes/A/nics",
      "/nodes/A/nics/B",
    ];
    const more = ["/spy", "/impair", "/trace"].map((end) => `/nodes/A/nics/B${end}`);
    const all = fc.constantFrom(
      ...paths,
      ...more,
      "/links/A/impair",
      "/bridges/A/trace",
      "/nodes/A/exec",
      "/nodes/A/files",
    );
    const method = fc.constantFrom("GET", "POST", "PUT", "PATCH");
    await fc.assert(
      fc.asyncProperty(method, all, word, word, body, async (how, path, a, b, sent) => {
        const at = path.replace("A", encodeURIComponent(a)).replace("B", encodeURIComponent(b));
        const query = how === "GET" ? `?path=${encodeURIComponent(b)}` : "?dry_run=true";
        const answer = await site.ask(how, `${at}${query}`, how === "GET" ? undefined : sent);
        expect([answer.status, answer.text]).not.toEqual([500, expect.anything()]);
      }),
      { numRuns: 400 },
    );
  });

  test("takes a lab away, which its text brings back, and the yard, which comes again", async () => {
    const plan = await site.done("DELETE", "/labs/office?dry_run=true");
    expect(plan.changes.removed).toContainEqual({ what: "node", name: "web" });
    const gone = await site.done("DELETE", "/labs/office");
    expect([gone.previous, (await site.done("GET", "/labs")).length]).toEqual([office(), 0]);
    const back = await site.ask("PUT", "/labs/office?wait=false", { text: gone.previous });
    expect(back.body.cfg).toBeGreaterThan(0);
    expect(await site.done("DELETE", "/yard")).toEqual({ gone: true });
    expect(existsSync(join(site.folder, "run", site.yard))).toBe(false);
    using events = new Events(site);
    const none = await site.ask("GET", "/yard");
    expect([none.status, none.body.code]).toEqual([503, "yard.not-running"]);
    expect((await site.done("PUT", "/labs/office", { text: office() })).failures).toEqual([]);
    await events.find(({ event, data }) => event === "connection" && data.connected === true);
    await events.find(({ event, data }) => event === "agent" && data.running === true);
    expect((await site.done("GET", "/labs/office")).state).toBe("up");
  });

  test("has answered every operation that is described, as it is described", async () => {
    const silent = (await site.described()).filter((operation) => !site.asked.has(operation));
    // What other doors lend has a test of its own.
    const asked = silent.filter((operation) => !/ \/api\/v1\/(ovs|cni|ec)(\/|$)/.test(operation));
    expect(asked).toEqual([
      "PUT /api/v1/host-bridges/{bridge}/nics/{device}",
      "DELETE /api/v1/host-bridges/{bridge}/nics/{device}",
    ]);
  });
});
