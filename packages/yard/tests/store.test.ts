import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseMac, YardErrors } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { parseLab } from "../src/model/mod.ts";
import type { Lab } from "../src/model/types.ts";
import {
  addNetwork,
  addNode,
  attachNic,
  declareLab,
  detachNic,
  removeNetwork,
  removeNode,
  rowsOf,
  type Store,
  waitApplied,
  withdrawLabs,
  writeStatus,
} from "../src/store/mod.ts";
import { startDatabase, type TestDatabase } from "./database.ts";
import { container, ips, lab, netns, network, nic } from "./specs.ts";

const place = { yard: "tstore", host: "h1" };

describe.skipIf(!requires("openvswitch"))("the store", () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await startDatabase();
    store = await database.open();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  /** Runs a test on a yard without labs. */
  function onEmptyYard(title: string, body: () => Promise<void>) {
    test(title, async () => {
      try {
        await body();
      } finally {
        await withdrawLabs(store, "all");
        for (const { name } of rowsOf(store.db).nodes) await removeNode(store, name);
        for (const { name } of rowsOf(store.db).networks) await removeNetwork(store, name);
      }
    });
  }
  const node = (name: string) => {
    const found = rowsOf(store.db).nodes.find((it) => it.name === name);
    if (found === undefined) throw new Error(`no node ${name} in the store`);
    return found;
  };
  const nicOf = (name: string, which = "eth0") => {
    const found = node(name).nics.find((it) => it.name === which);
    if (found === undefined) throw new Error(`no nic ${name}:${which} in the store`);
    return found;
  };
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "no error",
      (error: { code?: string }) => error.code,
    );

  onEmptyYard("what of the content has not changed is the same object as before, and the rest is new", async () => {
    const hosts = ["a", "b"].map((name) => netns(name, [nic("eth0", "lan01")]));
    await declareLab(store, lab("office", [network("lan01", ["10.1.0.0/24"])], hosts), place);
    const [a, b] = [node("a"), node("b")];
    expect([node("a"), node("b")]).toEqual([a, b]);
    expect(node("a")).toBe(a);
    await attachNic(store, "a", nic("eth1", "lan01"));
    expect(node("a").nics.map(({ name }) => name)).toEqual(["eth0", "eth1"]);
    expect(node("b")).toBe(b);
    const told = { state: "up", failure: undefined, port: "p", ofport: 7, mac: undefined, assigned: [] } as const;
    await writeStatus(store.db, {
      nics: new Map([[nicOf("b").uuid, { ...told, lease: undefined, impairedBy: undefined }]]),
    });
    expect(nicOf("b").status.ofport).toBe(7);
    await addNetwork(store, network("lan02", ["10.2.0.0/24"]), place);
    await attachNic(store, "b", nic("eth0", "lan02", { ip: ips("10.2.0.1/24") }));
    expect(nicOf("b")).toMatchObject({ network: "lan02", addresses: ["10.2.0.1/24"] });
    expect(nicOf("a").network).toBe("lan01");
  });

  onEmptyYard("a lab is stored whole, its nodes numbered in file order", async () => {
    const office: Lab = lab(
      "office",
      [network("lan01", ["10.1.0.0/24", "fd01::/64"], ["10.1.0.254"])],
      [
        container(
          "web",
          [nic("eth0", "lan01", { ip: ips("10.1.0.1/24"), dns: [] }), nic("eth1", undefined, { link: "w" })],
          {
            command: ["httpd", "-f"],
            env: { B: "2", A: "1" },
            cpus: 0.5,
            ports: [{ address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" }],
          },
        ),
        netns(
          "router",
          [nic("eth0", "lan01", { slot: 9, vlan: 7, trunks: [3, 2] }), nic("eth1", undefined, { link: "w" })],
          {
            exec: [["echo", "up"]],
            routes: [{ to: "default", via: undefined, dev: "eth0", metric: 5 }],
          },
        ),
      ],
      {
        links: [
          {
            name: "w",
            endpoints: [
              { node: "web", nic: "eth1" },
              { node: "router", nic: "eth1" },
            ],
            impair: undefined,
            mtu: 9000,
          },
        ],
        checks: [{ type: "ping", from: "web", to: "router", expect: "pass", name: "p", timeout: 1000 }],
      },
    );
    const declared = await declareLab(store, office, place);
    expect(declared.changed).toBe(true);
    const rows = rowsOf(store.db);
    expect(rows.yard).toEqual({ name: "tstore", nextCfg: declared.cfg });
    expect(rows.labs).toMatchObject([{ name: "office", file: "/labs/office.yard.yaml", checks: office.checks }]);
    expect(rows.networks).toMatchObject([{ name: "lan01", lab: "office", cidr: ["10.1.0.0/24", "fd01::/64"] }]);
    expect(rows.links).toMatchObject([{ name: "w", lab: "office", mtu: 9000 }]);
    expect(rows.nodes.map((it) => it.name)).toEqual(["web", "router"]);
    const { nics, ...webSpec } = container("web", [], {
      command: ["httpd", "-f"],
      env: { A: "1", B: "2" },
      cpus: 0.5,
      ports: [{ address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" }],
    });
    expect(node("web").spec).toEqual(webSpec);
    expect(node("router").spec).toMatchObject({
      exec: [["echo", "up"]],
      routes: [{ to: "default", dev: "eth0", metric: 5 }],
    });
    expect(nicOf("router")).toMatchObject({
      index: 0,
      network: "lan01",
      addresses: ["10.1.0.9/24", "fd01::9/64"],
      mac: "52:00:0a:01:00:09",
      slot: 9,
      vlan: 7,
      trunks: [2, 3],
    });
    expect(nicOf("web", "eth1")).toMatchObject({ index: 1, link: "w", network: undefined, addresses: [] });
  });

  onEmptyYard("declared again, nothing changes, but the agent is asked to look again", async () => {
    const one = lab("one", [network("a", ["10.0.0.0/24"])], [netns("n", [nic("eth0", "a")])]);
    const first = await declareLab(store, one, place);
    const rows = rowsOf(store.db);
    const second = await declareLab(store, one, place);
    expect(second).toEqual({ cfg: first.cfg + 1, changed: false });
    expect({ ...rowsOf(store.db), yard: undefined }).toEqual({ ...rows, yard: undefined });
  });

  onEmptyYard("an edited lab keeps the numbers, MACs and addresses of what it keeps", async () => {
    const lan = network("a", ["10.0.0.0/24"], ["10.0.0.1"]);
    const before = [netns("x", [nic("eth0", "a")]), netns("y", [nic("eth0", "a"), nic("eth1", "a")])];
    await declareLab(store, lab("one", [lan], before), place);
    expect(nicOf("x").addresses).toEqual(ips("10.0.0.2/24"));
    const kept = nicOf("y", "eth1");
    const { objId } = node("y");
    const after = [netns("y", [nic("eth9", "a"), nic("eth1", "a")]), netns("z", [nic("eth0", "a")])];
    await declareLab(store, lab("one", [lan], after), place);
    expect(rowsOf(store.db).nodes.map((it) => it.name)).toEqual(["y", "z"]);
    expect(node("y").objId).toBe(objId);
    expect(node("z").objId).toBe(objId + 1);
    expect(nicOf("y", "eth1")).toEqual(kept);
    expect(nicOf("y", "eth9").index).toBe(0);
    expect(
      rowsOf(store.db)
        .nodes.flatMap((it) => it.nics)
        .flatMap((it) => it.addresses),
    ).toEqual(ips("10.0.0.2/24", "10.0.0.4/24", "10.0.0.3/24"));
  });

  onEmptyYard("who asks for an address has it before who takes any; gateways are never given", async () => {
    const nodes = [
      netns("any1", [nic("eth0", "a", { gateway: [] })]),
      netns("any2", [nic("eth0", "a")]),
      netns("asks", [nic("eth0", "a", { ip: ips("10.0.0.1/29") })]),
      netns("slot", [nic("eth0", "a", { slot: 3 })]),
    ];
    await declareLab(store, lab("one", [network("a", ["10.0.0.0/29"], ["10.0.0.2"])], nodes), place);
    expect(nicOf("any1").addresses).toEqual(ips("10.0.0.4/29"));
    expect(nicOf("any2").addresses).toEqual(ips("10.0.0.5/29"));
    // An explicit address that somebody else was given before takes it over; the other gets a new one.
    const moved = [...nodes.slice(0, 2), netns("asks", [nic("eth0", "a", { ip: ips("10.0.0.4/29") })])];
    await declareLab(store, lab("one", [network("a", ["10.0.0.0/29"], ["10.0.0.2"])], moved), place);
    expect(nicOf("any1").addresses).toEqual(ips("10.0.0.1/29"));
    expect(nicOf("any2").addresses).toEqual(ips("10.0.0.5/29"));
  });

  onEmptyYard("a slot fixes the address and the MAC of a nic of every kind of node", async () => {
    const text = `name: one
networks: { a: { cidr: 10.0.0.0/24 } }
nodes:
  bare: { kind: netns, nics: [ { network: a, slot: 1 } ] }
  box: { kind: container, image: busybox, nics: [ { network: a, slot: 2 } ] }
  machine: { kind: vm, kernel: /etc/hostname, initrd: /etc/hostname, nics: [ { network: a, slot: 3 } ] }
`;
    await declareLab(store, parseLab(text, { file: "/lab/one.yard.yaml", environment: {} }).lab, place);
    const fixed = ["bare", "box", "machine"].map((name) => `${nicOf(name).addresses} ${nicOf(name).mac}`);
    expect(fixed).toEqual([1, 2, 3].map((n) => `10.0.0.${n}/24 52:00:0a:00:00:0${n}`));
  });

  onEmptyYard("a network without a free address is an error, and nothing is written", async () => {
    const nodes = [1, 2, 3].map((i) => netns(`n${i}`, [nic("eth0", "a")]));
    const full = declareLab(store, lab("one", [network("a", ["10.0.0.0/30"])], nodes), place);
    expect(await code(full)).toBe("network.addresses-exhausted");
    expect(rowsOf(store.db).labs).toEqual([]);
  });

  onEmptyYard("all that is wrong is told at once", async () => {
    await addNode(store, netns("taken"), place);
    const bad = lab("one", [network("a", ["10.0.0.0/24"])], [netns("taken"), netns("n", [nic("eth0", "nowhere")])]);
    const error = await declareLab(store, bad, place).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(YardErrors);
    expect((error as YardErrors).errors.map((it) => it.code)).toEqual(["node.name-taken", "nic.network-unknown"]);
  });

  onEmptyYard("names that another lab or a command holds are refused", async () => {
    await declareLab(store, lab("one", [network("a")], [netns("n")]), place);
    expect(await code(declareLab(store, lab("two", [network("a")], []), place))).toBe("network.name-taken");
    expect(await code(declareLab(store, lab("two", [], [netns("n")]), place))).toBe("node.name-taken");
    expect(await code(addNode(store, netns("n", [], { env: { A: "1" } }), place))).toBe("node.name-taken");
    expect(await code(addNetwork(store, network("a", ["10.0.0.0/24"]), place))).toBe("network.name-taken");
    expect(rowsOf(store.db).labs.map((it) => it.name)).toEqual(["one"]);
  });

  onEmptyYard("a network that a node of another lab or of a command uses cannot be taken away", async () => {
    const shared = lab("one", [network("a", ["10.0.0.0/24"])], [netns("n", [nic("eth0", "a")])]);
    await declareLab(store, shared, place);
    await addNode(store, netns("guest", [nic("eth0", "a")]), place);
    expect(await code(withdrawLabs(store, ["one"]))).toBe("network.in-use");
    expect(await code(declareLab(store, lab("one", [], []), place))).toBe("network.in-use");
    expect(await code(removeNetwork(store, "a"))).toBe("network.in-use");
    await removeNode(store, "guest");
    expect(await withdrawLabs(store, ["one"])).toMatchObject({ changed: true });
    expect(rowsOf(store.db)).toMatchObject({ labs: [], networks: [], nodes: [], links: [] });
    expect(await withdrawLabs(store, ["one"])).toMatchObject({ changed: false });
  });

  onEmptyYard("an address or MAC that another lab's nic has on the network is refused", async () => {
    const mac = parseMac("02:00:00:00:00:01");
    const lan = network("a", ["10.0.0.0/24"], ["10.0.0.254"]);
    await declareLab(store, lab("one", [lan], [netns("n", [nic("eth0", "a", { mac })])]), place);
    const with_ = (more: object) => declareLab(store, lab("two", [], [netns("m", [nic("eth0", "a", more)])]), place);
    expect(await code(with_({ ip: ips("10.0.0.1/24") }))).toBe("nic.ip-taken");
    expect(await code(with_({ ip: ips("10.0.0.254/24") }))).toBe("nic.ip-taken");
    expect(await code(with_({ mac }))).toBe("nic.mac-taken");
    expect(await code(with_({ slot: 300 }))).toBe("address.outside-network");
    expect(await code(with_({}))).toBe("no error");
    expect(nicOf("m").addresses).toEqual(ips("10.0.0.2/24"));
  });

  onEmptyYard("numbers are given again only after the counter has wrapped, and never twice at a time", async () => {
    const before = rowsOf(store.db).nodes.length;
    expect(before).toBe(0);
    await addNode(store, netns("keeper"), place);
    const yard = store.db.table("Yard").single();
    if (yard === undefined) throw new Error("the yard has a row by now");
    await store.db.transact((tx) => tx.update("Yard", yard._uuid, { next_obj_id: 65_534 }));
    await store.db.transact((tx) => {
      const row = tx.find("Node", { name: "keeper" });
      if (row) tx.update("Node", row._uuid, { obj_id: 1 });
    });
    for (const name of ["p", "q", "r", "s"]) await addNode(store, netns(name), place);
    expect(["p", "q", "r", "s"].map((name) => node(name).objId)).toEqual([65_534, 65_535, 2, 3]);
    await removeNode(store, "r");
    await addNode(store, netns("t"), place);
    expect(node("t").objId).toBe(4);
  });

  onEmptyYard(
    "two who declare at once both get what they asked for, with numbers and addresses of their own",
    async () => {
      await addNetwork(store, network("shared", ["10.0.0.0/24"]), place);
      const others = await Promise.all([database.open(), database.open(), database.open()]);
      const nodes = (who: number) => [0, 1, 2].map((i) => netns(`w${who}-${i}`, [nic("eth0", "shared")]));
      const cfgs = await Promise.all(
        others.map((other, who) => declareLab(other, lab(`lab${who}`, [], nodes(who)), place)),
      );
      expect(new Set(cfgs.map(({ cfg }) => cfg)).size).toBe(3);
      await store.db.waitFor((db) => db.table("Node").size === 9);
      const rows = rowsOf(store.db);
      expect(new Set(rows.nodes.map((it) => it.objId)).size).toBe(9);
      expect(new Set(rows.nodes.flatMap((it) => it.nics[0]?.addresses ?? [])).size).toBe(9);
    },
  );

  onEmptyYard("the same lab declared by two at once is there once", async () => {
    const others = await Promise.all([database.open(), database.open()]);
    const one = lab("one", [network("a", ["10.0.0.0/24"])], [netns("n", [nic("eth0", "a")])]);
    const results = await Promise.all(others.map((other) => declareLab(other, one, place)));
    expect(results.filter(({ changed }) => changed)).toHaveLength(1);
    await store.db.waitFor((db) => db.table("Node").size === 1);
    expect(rowsOf(store.db).nodes).toHaveLength(1);
  });

  onEmptyYard("a nic moved to another network keeps its MAC and index, and gets an address there", async () => {
    await addNetwork(store, network("a", ["10.0.0.0/24"]), place);
    await addNetwork(store, network("b", ["10.7.0.0/24"]), place);
    await addNode(store, netns("n", [nic("eth0", "a"), nic("eth1", "a")]), place);
    const before = nicOf("n");
    const moved = await attachNic(store, "n", nic("eth0", "b"));
    expect(nicOf("n")).toEqual({ ...before, network: "b", addresses: ips("10.7.0.1/24") });
    await moved.withdraw?.();
    expect(nicOf("n")).toEqual(before);
    await detachNic(store, "n", "eth0");
    expect(node("n").nics.map((it) => it.index)).toEqual([1]);
    const attached = await attachNic(store, "n", nic("eth7", "b"));
    expect(nicOf("n", "eth7").index).toBe(0);
    expect(await attachNic(store, "n", nic("eth7", "b"))).toMatchObject({ changed: false, withdraw: undefined });
    await attached.withdraw?.();
    expect(node("n").nics.map((it) => it.name)).toEqual(["eth1"]);
  });

  onEmptyYard("a commanded node or network that is withdrawn leaves nothing behind", async () => {
    const lan = await addNetwork(store, network("a", ["10.0.0.0/24"]), place);
    const added = await addNode(store, netns("n", [nic("eth0", "a")]), place);
    expect(await addNode(store, netns("n", [nic("eth0", "a")]), place)).toMatchObject({ changed: false });
    await added.withdraw?.();
    await lan.withdraw?.();
    expect(rowsOf(store.db)).toMatchObject({ networks: [], nodes: [] });
    expect(store.db.table("Nic").size).toBe(0);
  });

  onEmptyYard(
    "what a door notes of a node is written with the change, kept by others, and goes with the node",
    async () => {
      const noted = (entries: Record<string, string | undefined>) => ({
        notes: [{ table: "Node" as const, name: "pc", entries }],
      });
      const row = () => store.db.table("Node").find({ name: "pc" });
      await addNetwork(store, network("lan01"), place);
      await addNode(store, netns("pc"), place, noted({ door: "1", other: "x" }));
      await attachNic(store, "pc", nic("eth0", "lan01"));
      expect(Object.fromEntries(row()?.external_ids ?? [])).toEqual({ door: "1", other: "x" });
      await detachNic(store, "pc", "eth0", noted({ door: "2", other: undefined, absent: undefined }));
      expect(Object.fromEntries(row()?.external_ids ?? [])).toEqual({ door: "2" });
      await removeNode(store, "pc", noted({ door: "3" }));
      expect(row()).toBeUndefined();
    },
  );

  onEmptyYard("commands on what is not there say so", async () => {
    expect(await code(removeNode(store, "n"))).toBe("node.unknown");
    expect(await code(removeNetwork(store, "n"))).toBe("network.unknown");
    expect(await code(attachNic(store, "n", nic("eth0", "a")))).toBe("node.unknown");
    await addNode(store, netns("n"), place);
    expect(await code(attachNic(store, "n", nic("eth0", "a")))).toBe("nic.network-unknown");
    expect(await code(detachNic(store, "n", "eth0"))).toBe("nic.unknown");
  });

  onEmptyYard("who waits is told when the agent has come so far, how far it is, and what failed", async () => {
    const one = lab("one", [network("a", ["10.0.0.0/24"])], [netns("x", [nic("eth0", "a")]), netns("y")]);
    const { cfg } = await declareLab(store, one, place);
    const progress: string[] = [];
    const waiting = waitApplied(store, cfg, { onProgress: ({ done, total }) => progress.push(`${done}/${total}`) });
    const agent = await database.open();
    const rows = rowsOf(agent.db);
    const failure = { code: "nic.refused", message: "no", hint: "try" };
    const state = {
      failure: undefined,
      pid: 7,
      exitCode: undefined,
      reason: undefined,
      accelerator: undefined,
      paused: false,
      namespace: "s",
      container: undefined,
      commands: undefined,
    };
    const nodes = new Map(rows.nodes.map((it) => [it.uuid, { ...state, state: "running" as const }]));
    const nics = new Map([
      [
        nicOf("x").uuid,
        {
          state: "failed" as const,
          failure,
          port: "_k_1_0",
          ofport: -1,
          assigned: [],
          lease: undefined,
          mac: undefined,
          impairedBy: undefined,
        },
      ],
    ]);
    expect(await writeStatus(agent.db, { nodes })).toBe(true);
    expect(await writeStatus(agent.db, { nodes })).toBe(false);
    const [host] = rows.hosts;
    if (host === undefined) throw new Error("declaring makes the host's row");
    await writeStatus(agent.db, {
      nodes,
      nics,
      host: { uuid: host.uuid, status: { failure: undefined }, curCfg: cfg },
    });
    expect(await waiting).toEqual({ failures: [{ subject: { kind: "nic", node: "x", nic: "eth0" }, ...failure }] });
    expect(progress).toEqual(["0/2", "2/2"]);
    expect((await waitApplied(store, cfg, { nodes: ["y"] })).failures).toEqual([]);
    expect(node("x").status).toEqual({ state: "running", ...state });
  });

  onEmptyYard("a status for a row that is gone is passed over", async () => {
    await addNode(store, netns("n"), place);
    const { uuid } = node("n");
    await removeNode(store, "n");
    const status = {
      state: "running" as const,
      failure: undefined,
      pid: undefined,
      exitCode: undefined,
      reason: undefined,
      accelerator: undefined,
      paused: false,
      namespace: undefined,
    };
    const nodes = new Map([[uuid, { ...status, container: undefined, commands: undefined }]]);
    expect(await writeStatus(store.db, { nodes })).toBe(false);
    // Also of one that somebody else removes in the same moment, which we have not heard of yet.
    await using other = await database.open();
    for (let n = 0; n < 20; n++) {
      await addNode(store, netns("n"), place);
      const here = node("n").uuid;
      await other.db.waitFor((db) => db.table("Node").get(here) !== undefined, { timeout: 5_000 });
      await Promise.all([
        removeNode(other, "n"),
        writeStatus(store.db, {
          nodes: new Map([[here, { ...status, container: undefined, commands: `${n}` }]]),
        }),
      ]);
      await store.db.waitFor((db) => db.table("Node").find({ name: "n" }) === undefined, { timeout: 5_000 });
    }
  });

  onEmptyYard("a wait that is cancelled ends", async () => {
    const { cfg } = await declareLab(store, lab("one", [], []), place);
    expect(await code(waitApplied(store, cfg, { signal: AbortSignal.timeout(20) }))).toBe("ovsdb.cancelled");
    expect(await code(waitApplied(store, cfg, { timeout: 20 }))).toBe("ovsdb.timeout");
  });

  onEmptyYard("a thousand nodes are declared in a moment, and again in less", async () => {
    const networks = Array.from({ length: 10 }, (_, i) => network(`lan${i}`, [`10.${i}.0.0/16`]));
    const nodes = Array.from({ length: 1000 }, (_, i) => netns(`n${i}`, [nic("eth0", `lan${i % 10}`)]));
    const big = lab("big", networks, nodes);
    // Our own processor time: neither the server's nor what else this machine does counts.
    const time = async (body: () => Promise<unknown>) => {
      const start = process.cpuUsage();
      await body();
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    };
    expect(await time(() => declareLab(store, big, place))).toBeLessThan(500);
    const again = [];
    for (let i = 0; i < 3; i++) again.push(await time(() => declareLab(store, big, place)));
    expect(Math.min(...again)).toBeLessThan(120);
  });
});
