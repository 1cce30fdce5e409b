import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import type { Lab, NodeSpec } from "../src/model/types.ts";
import {
  attachNic,
  declareLab,
  detachNic,
  removeNode,
  rowsOf,
  SettledNodes,
  type Store,
  withdrawLabs,
  writeStatus,
} from "../src/store/mod.ts";
import { startDatabase, type TestDatabase } from "./database.ts";
import { ips, lab, netns, network, nic } from "./specs.ts";

const place = { yard: "tsettled", host: "h1" };
const LAN = network("lan", ["10.1.0.0/24"]);
const WIDE = network("lan", ["10.1.0.0/16"]);
const OTHER = network("other", ["10.2.0.0/24"]);
const hosts = (...names: readonly string[]) => names.map((name) => netns(name, [nic("eth0", "lan")]));
const office = (nodes: readonly NodeSpec[], networks: Lab["networks"] = [LAN, OTHER]) => lab("office", networks, nodes);

type Step = (store: Store, settled: SettledNodes | undefined) => Promise<unknown>;
const declare =
  (what: Lab): Step =>
  (store, settled) =>
    declareLab(store, what, place, settled === undefined ? {} : { settled }).catch((error) => error.code);

describe.skipIf(!requires("openvswitch"))("a lab that is declared again", () => {
  let databases: TestDatabase[];
  /** One store that keeps nothing, and one that does. */
  let stores: readonly [Store, Store];
  beforeAll(async () => {
    databases = [await startDatabase(), await startDatabase()];
    const [one, other] = databases;
    if (!one || !other) throw new Error("there are two");
    stores = [await one.open(), await other.open()];
  });
  afterAll(async () => {
    for (const database of databases) await database[Symbol.asyncDispose]();
  });

  const content = (store: Store) => {
    const { nodes, networks } = rowsOf(store.db);
    return {
      nodes: nodes.map(({ uuid: _, nics, ...node }) => ({ ...node, nics: nics.map(({ uuid: _uuid, ...it }) => it) })),
      networks: networks.map(({ uuid: _, ...it }) => it),
    };
  };

  const ports: Step = async ({ db }) => {
    const nics = [...db.table("Nic")].map(({ _uuid }) => {
      const told = { state: "up", failure: undefined, port: "p", ofport: 1, mac: undefined, assigned: [] } as const;
      return [_uuid, { ...told, lease: undefined, impairedBy: undefined }] as const;
    });
    await writeStatus(db, { nics: new Map(nics) });
  };

  const cases: Readonly<Record<string, readonly Step[]>> = {
    "with a node more": [declare(office(hosts("a", "b"))), ports, declare(office(hosts("a", "b", "c")))],
    "with a node more, before the others": [declare(office(hosts("a", "b"))), declare(office(hosts("c", "a", "b")))],
    "with a node fewer": [declare(office(hosts("a", "b", "c"))), declare(office(hosts("a", "c")))],
    "with a node in the place of another": [declare(office(hosts("a", "b"))), declare(office(hosts("c", "b")))],
    "with a node that wants the address of one that goes": [
      declare(office(hosts("a", "b"))),
      declare(office([...hosts("b"), netns("c", [nic("eth0", "lan", { ip: ips("10.1.0.1/24") })])])),
    ],
    "with a node that wants the address another was given": [
      declare(office(hosts("a", "b"))),
      declare(office([...hosts("a", "b"), netns("c", [nic("eth0", "lan", { ip: ips("10.1.0.1/24") })])])),
    ],
    "with a node that wants the address another has asked for": [
      declare(office([netns("a", [nic("eth0", "lan", { ip: ips("10.1.0.1/24") })])])),
      declare(
        office(
          ["a", "b"].map((name) => netns(name, [nic("eth0", "lan", { ip: ips("10.1.0.1/24") })])) satisfies NodeSpec[],
        ),
      ),
    ],
    "with a network whose subnet is another": [
      declare(office(hosts("a", "b"))),
      declare(office(hosts("a", "b", "c"), [network("lan", ["10.9.0.0/24"]), OTHER])),
      declare(office(hosts("a", "b", "c", "d"), [network("lan", ["10.9.0.0/24"]), OTHER])),
    ],
    "with a wider network, and back": [
      declare(office(hosts("a"), [LAN, OTHER])),
      declare(office(hosts("a", "b"), [WIDE, OTHER])),
      declare(office(hosts("a", "b", "c"), [LAN, OTHER])),
    ],
    "after a command has given a node another nic": [
      declare(office(hosts("a", "b"))),
      (store) => attachNic(store, "a", nic("eth1", "other")),
      declare(office(hosts("a", "b", "c"))),
    ],
    "after a command has taken a node's nic": [
      declare(office(hosts("a", "b"))),
      (store) => detachNic(store, "a", "eth0"),
      declare(office(hosts("a", "b"))),
    ],
    "after a command has moved a node's nic": [
      declare(office(hosts("a", "b"))),
      (store) => attachNic(store, "a", nic("eth0", "other")),
      declare(office(hosts("a", "b", "c"))),
    ],
    "after a command has removed a node": [
      declare(office(hosts("a", "b"))),
      (store) => removeNode(store, "a"),
      declare(office(hosts("a", "b"))),
    ],
    "after it was withdrawn": [
      declare(office(hosts("a", "b"))),
      (store) => withdrawLabs(store, "all"),
      declare(office(hosts("b", "a"))),
    ],
    "with a node of another kind, and with what it runs": [
      declare(office(hosts("a", "b"))),
      declare(office([...hosts("a"), netns("b", [nic("eth0", "lan")], { exec: [["true"]] })])),
      declare(office([...hosts("a"), { ...netns("b", [nic("eth0", "lan")]), kind: "tap" }])),
      declare(office(hosts("a", "b"))),
    ],
    "with a gateway that a nic names": [
      declare(office([netns("a", [nic("eth0", "lan", { gateway: [] })]), ...hosts("b")])),
      declare(office([netns("a", [nic("eth0", "lan", { gateway: [] })]), ...hosts("b", "c")])),
    ],
  };

  for (const [title, steps] of Object.entries(cases)) {
    test(`${title} is the same by what is kept as looked at whole`, async () => {
      const settled = new SettledNodes();
      const [plain, keeping] = stores;
      try {
        for (const step of steps) {
          await step(plain, undefined);
          await step(keeping, settled);
          expect(content(keeping)).toEqual(content(plain));
        }
        expect(content(plain).nodes.length).toBeGreaterThan(0);
      } finally {
        for (const store of stores) await withdrawLabs(store, "all");
      }
    });
  }

  test("has none of its settled nodes looked at when another comes", async () => {
    const settled = new SettledNodes();
    const [, store] = stores;
    const wanted = hosts("a", "b");
    await declareLab(store, office(wanted), place, { settled });
    const { _uuid: labUuid } = [...store.db.table("Lab")][0] ?? { _uuid: undefined };
    const { _uuid: host } = [...store.db.table("Host")][0] ?? { _uuid: undefined };
    if (labUuid === undefined || host === undefined) throw new Error("the lab is declared");
    const nodes = hosts("a", "b", "c").map((spec) => ({ spec, row: store.db.table("Node").find({ name: spec.name }) }));
    const open = settled.unsettled(store.db, "office", nodes, { lab: labUuid, host });
    expect(open.map(({ spec }) => spec.name)).toEqual(["c"]);
    await withdrawLabs(store, "all");
  });
});
