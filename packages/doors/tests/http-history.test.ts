import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { Events, HttpSite, type Json } from "./http-site.ts";

setDefaultTimeout(60_000);

const office = (more = "") => `name: office
networks: {lan: {cidr: 10.96.1.0/24}}
nodes:
  a: {kind: netns, nics: [lan]}   # the first
  b: {kind: netns, nics: [lan]}
${more}`;

describe.skipIf(!requires("root", "openvswitch", "iproute2"))("the history of a yard over HTTP", () => {
  let before: Machine;
  let site: HttpSite;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await HttpSite.create({ argv: ["--rate", "0"] });
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(site.yard) });
  });

  const whats = async () => (await site.done("GET", "/history")).steps.map(({ what }: Json) => what);
  /** All that is declared, as a client sees it, but for what changes by itself. */
  const declared = async () => {
    const { nodes, networks, links } = await site.done("GET", "/yard");
    const plain = ({ ofport, since, ...nic }: Json) => nic;
    return {
      networks,
      links,
      nodes: nodes.map(({ since, pid, ...node }: Json) => ({ ...node, nics: node.nics.map(plain) })),
      text: await site.ask("GET", "/labs/office").then(({ body }) => body.text ?? null),
    };
  };

  test("has nothing to undo at first", async () => {
    await site.up(office());
    await site.done("POST", "/undo");
    expect((await site.done("GET", "/labs")).length).toBe(0);
    expect(await site.done("GET", "/history")).toMatchObject({ undo: null, redo: 1, steps: [{ undone: true }] });
    const none = await site.ask("POST", "/undo");
    expect([none.status, none.body.code]).toEqual([409, "history.nothing"]);
    await site.done("POST", "/redo");
    expect((await site.done("GET", "/labs/office")).text).toBe(office());
    expect((await site.ask("POST", "/redo")).body.code).toBe("history.nothing");
  });

  test("takes back and does again whatever was changed, step by step, each first as a plan", async () => {
    const deeds: [method: string, path: string, body?: unknown][] = [
      ["PUT", "/labs/office", { text: office("  c: {kind: netns, nics: [lan]}\n") }],
      ["PUT", "/nodes/a/nics/eth0/spy", { on: true }],
      ["PATCH", "/nodes/b/nics/eth0/impair", { forward: { delay: "20ms" } }],
      ["POST", "/nodes/c/stop"],
      ["POST", "/networks", { name: "side", spec: { cidr: "10.96.2.0/24" } }],
      ["POST", "/nodes", { name: "x", spec: { kind: "netns", nics: ["side"] } }],
      ["PATCH", "/nodes/x/nics/eth0", { network: "lan" }],
      ["DELETE", "/nodes/x"],
      ["DELETE", "/labs/office"],
    ];
    const moments: Json[] = [await declared()];
    for (const [method, path, body] of deeds) {
      await site.done(method, path, body);
      moments.push(await declared());
    }
    expect((await whats()).slice(1)).toEqual([
      "change lab office",
      "spy on a:eth0",
      "impair b:eth0",
      "stop c",
      "add network side",
      "add node x",
      "move nic x:eth0 to lan",
      "remove node x",
      "take lab office away",
    ]);
    for (let at = deeds.length - 1; at >= 0; at--) {
      const { undo } = await site.done("GET", "/history");
      const planned = await site.done("POST", `/undo?dry_run=true&step=${undo}`);
      expect(planned).toMatchObject({ step: { id: undo, undone: false }, cfg: null, failures: [] });
      expect(planned.plan.length).toBeGreaterThan(0);
      expect(await declared()).toEqual(moments[at + 1]);
      const undone = await site.done("POST", `/undo?step=${undo}`);
      expect(undone).toMatchObject({ step: { id: undo, undone: true }, failures: [], changes: planned.changes });
      expect(await declared()).toEqual(moments[at]);
    }
    // What was undone is known to who serves next.
    await site.serve({ argv: ["--rate", "0"] });
    for (const at of deeds.keys()) {
      const { step } = await site.done("POST", "/redo");
      expect(step).toMatchObject({ who: "link", undone: false });
      expect(await declared()).toEqual(moments[at + 1]);
    }
    for (const at of [deeds.length - 1, deeds.length - 2]) {
      await site.done("POST", "/undo");
      expect(await declared()).toEqual(moments[at]);
    }
  });

  test("a change forgets what was undone, one that failed is none, and a slider's movements are one", async () => {
    const { redo } = await site.done("GET", "/history");
    expect(redo).not.toBeNull();
    const { steps } = await site.done("GET", "/history");
    const known = steps.flatMap(({ id, what }: Json) => (id < redo ? [what] : []));
    for (const delay of ["1ms", "2ms", "3ms"])
      await site.done("PATCH", "/nodes/a/nics/eth0/impair", { forward: { delay } });
    const history = await site.done("GET", "/history");
    expect([history.redo, history.steps.map(({ what }: Json) => what)]).toEqual([null, [...known, "impair a:eth0"]]);
    expect(history.steps.at(-1)).toMatchObject({
      who: "link",
      changes: { added: [], changed: [{ what: "node", name: "a" }], removed: [] },
      text: null,
    });
    const image = { kind: "container", runtime: "oci", image: "no-such-image", pull: "never" };
    expect((await site.ask("POST", "/nodes", { name: "none", spec: image })).status).toBe(422);
    expect(await whats()).toEqual([...known, "impair a:eth0"]);
    await site.done("POST", "/undo");
    expect((await site.done("GET", "/nodes/a/nics/eth0")).impair).toBeNull();
  });

  test("what no longer fits is refused, and nothing is touched; so is a step that is not the next one any more", async () => {
    await site.done("PUT", "/nodes/b/nics/eth0/spy", { on: true });
    await site.run("stop", "b");
    for (const query of ["", "?dry_run=true"]) {
      const refused = await site.ask("POST", `/undo${query}`);
      expect([refused.status, refused.body.code, refused.body.detail]).toEqual([
        409,
        "history.outdated",
        "node b has changed since",
      ]);
    }
    expect((await site.done("GET", "/nodes/b/nics/eth0")).spy).not.toBeNull();
    await site.run("start", "b");
    const { undo } = await site.done("GET", "/history");
    const other = await site.ask("POST", `/undo?step=${undo + 1}`);
    expect([other.status, other.body.code]).toEqual([409, "history.moved-on"]);
    await site.done("POST", `/undo?step=${undo}`);

    const { file, text } = await site.done("GET", "/labs/office");
    await site.up(`${text}# more\n`);
    writeFileSync(file, `${readFileSync(file, "utf8")}# by an editor\n`);
    const edited = await site.ask("POST", "/undo?dry_run=true");
    expect([edited.status, edited.body.code]).toEqual([409, "history.outdated"]);
    expect(readFileSync(file, "utf8")).toEndWith("# by an editor\n");
    writeFileSync(file, `${text}# more\n`);
    expect((await site.done("POST", "/undo")).text).toBe(text);
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  test("tells by an event what can be undone, and nobody of texts who may only look", async () => {
    using events = new Events(site);
    await events.find(({ event }) => event === "hello");
    await site.done("PUT", "/nodes/b/nics/eth0/spy", { on: true });
    const told = await events.find(({ event, data }) => event === "history" && data.undo?.what === "spy on b:eth0");
    expect(told.data.redo).toBeNull();
    await site.done("POST", "/undo");
    await events.find(({ event, data }) => event === "history" && data.redo?.what === "spy on b:eth0");
    expect(JSON.stringify(await site.done("GET", "/history"))).not.toContain("the first");
  });

  test("of two texts made from the same one, the second is refused", async () => {
    const { etag } = await site.done("GET", "/labs/office");
    const texts = ["# one\n", "# two\n"].map((more) => office(more));
    const answers = await Promise.all(
      texts.map((text) => site.ask("PUT", "/labs/office", { text }, { "if-match": etag })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
    const taken = texts[answers.findIndex(({ status }) => status === 200)];
    expect((await site.done("GET", "/labs/office")).text).toBe(taken);
  });

  test("a change waits for one that another server of the yard is at", async () => {
    let answered = false;
    let put: Promise<unknown>;
    {
      using other = lockFile(join(site.folder, "run", site.yard, "http.lock"));
      expect(other).toBeDefined();
      put = site.done("PUT", "/nodes/b/nics/eth0/spy", { on: true }).then(() => {
        answered = true;
      });
      await Bun.sleep(500);
      expect(answered).toBe(false);
    }
    await put;
    expect((await site.done("GET", "/nodes/b/nics/eth0")).spy).not.toBeNull();
  });

  test("goes with the yard", async () => {
    await site.done("DELETE", "/yard");
    expect(existsSync(join(site.folder, "state", "yards", site.yard))).toBe(false);
    await site.up(office());
    expect(await site.done("GET", "/history")).toMatchObject({ steps: [{ what: "change lab office" }], undo: 1 });
  });
});
