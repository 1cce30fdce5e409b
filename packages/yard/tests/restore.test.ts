import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { parseCidr } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import fc from "fast-check";
import { UNIMPAIRED } from "../src/model/impair.ts";
import {
  addNetwork,
  addNode,
  attachNic,
  clearYard,
  declareLab,
  detachNic,
  type Edit,
  edit,
  removeNode,
  restore,
  rowsOf,
  Snapshot,
  type Store,
  setImpair,
  spyNic,
  startNodes,
  stopNodes,
  withdrawLabs,
} from "../src/store/mod.ts";
import { startDatabase, type TestDatabase } from "./database.ts";
import { container, ips, lab, netns, network, nic } from "./specs.ts";

setDefaultTimeout(60_000);

const place = { yard: "trestore", host: "h1" };

/** Changes that are made one after the other, in any order; one that cannot be made changes nothing. */
const deeds: readonly ((store: Store) => Promise<unknown>)[] = [
  (store) =>
    declareLab(store, lab("one", [network("lan", ["10.1.0.0/24"])], [netns("a", [nic("eth0", "lan")])]), place),
  (store) =>
    declareLab(
      store,
      lab(
        "one",
        [network("lan", ["10.1.0.0/24"]), network("other")],
        [netns("a", [nic("eth0", "other")]), container("b", [nic("eth0", "lan"), nic("eth1", "lan")])],
      ),
      place,
    ),
  (store) => declareLab(store, lab("two", [], [netns("n", [nic("eth0", "default")])]), place),
  (store) => withdrawLabs(store, ["one"]),
  (store) => withdrawLabs(store, ["two"]),
  (store) => addNode(store, netns("x", [nic("eth0", "default"), nic("eth1", "vlan:100")]), place),
  (store) => removeNode(store, "x"),
  (store) => addNetwork(store, network("side", ["10.9.0.0/24"]), place),
  (store) => attachNic(store, "a", nic("eth1", "lan", { ip: ips("10.1.0.77/24") })),
  (store) => attachNic(store, "a", nic("eth1", "default")),
  (store) => detachNic(store, "a", "eth1"),
  (store) => spyNic(store, "a", "eth0", true),
  (store) => stopNodes(store, ["a"], 3),
  (store) => startNodes(store, ["a"]),
  (store) =>
    setImpair(store, { node: "a", nic: "eth0" }, () => ({
      forward: { ...UNIMPAIRED, loss: 50 },
      backward: UNIMPAIRED,
    })),
];

describe.skipIf(!requires("openvswitch"))("what was declared", () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await startDatabase();
    store = await database.open();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const done = async (deed: (of: Store) => Promise<unknown>): Promise<Edit[]> => {
    const before = new Snapshot(store.db);
    await deed(store);
    // As it would come back from where it is kept.
    return before.editsTo(new Snapshot(store.db)).map((it) => edit.parse(JSON.parse(JSON.stringify(it))));
  };
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "no error",
      (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
    );

  test("is put back step by step, whatever was done, and done again step by step", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...deeds), { maxLength: 8 }), async (some) => {
        await clearYard(store);
        const steps: Edit[][] = [];
        const moments = [new Snapshot(store.db)];
        for (const deed of some) {
          steps.push(await done((of) => deed(of).catch(() => {})));
          moments.push(new Snapshot(store.db));
        }
        const same = (moment: Snapshot | undefined) => expect(moment?.editsTo(new Snapshot(store.db))).toEqual([]);
        for (let at = steps.length - 1; at >= 0; at--) {
          await restore(store, steps[at] ?? [], "before", place);
          same(moments[at]);
        }
        for (const [at, step] of steps.entries()) {
          await restore(store, step, "after", place);
          same(moments[at + 1]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is not put back over what has changed since, or without what it needs; nothing is touched then", async () => {
    await clearYard(store);
    await declareLab(store, lab("one", [network("lan", ["10.1.0.0/24"])], [netns("a", [nic("eth0", "lan")])]), place);
    const spied = await done((of) => spyNic(of, "a", "eth0", true));
    await stopNodes(store, ["a"], 3);
    const before = new Snapshot(store.db);
    expect(await code(restore(store, spied, "before", place))).toStartWith(
      "history.outdated: node a has changed since",
    );
    expect(before.editsTo(new Snapshot(store.db))).toEqual([]);
    await startNodes(store, ["a"]);
    expect(await code(restore(store, spied, "before", place))).toBe("no error");

    await addNode(store, netns("x", [nic("eth0", "lan", { ip: ips("10.1.0.9/24") })]), place);
    const removed = await done((of) => removeNode(of, "x"));
    await addNode(store, netns("y", [nic("eth0", "lan", { ip: [parseCidr("10.1.0.9/24")] })]), place);
    expect(await code(restore(store, removed, "before", place))).toContain(
      "10.1.0.9, which was x:eth0's, is y:eth0's by now",
    );
    await removeNode(store, "y");
    await removeNode(store, "a");
    const gone = await done((of) => withdrawLabs(of, ["one"]));
    expect(await code(restore(store, removed, "before", place))).toContain("network lan, which x:eth0 was on, is gone");
    await restore(store, gone, "before", place);
    expect(await code(restore(store, removed, "before", place))).toBe("no error");
    expect(rowsOf(store.db).nodes.map(({ name }) => name)).toEqual(["x"]);
  });

  test("leaves a network that nobody declares to those who have come to it since", async () => {
    await clearYard(store);
    const added = await done((of) => addNode(of, netns("x", [nic("eth0", "default")]), place));
    await addNode(store, netns("y", [nic("eth0", "default")]), place);
    await restore(store, added, "before", place);
    expect(rowsOf(store.db).nodes.map(({ name }) => name)).toEqual(["y"]);
    await restore(store, added, "after", place);
    expect(
      rowsOf(store.db)
        .nodes.map(({ name }) => name)
        .toSorted(),
    ).toEqual(["x", "y"]);
  });
});
