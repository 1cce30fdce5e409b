import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import {
  addNetwork,
  addNode,
  attachNic,
  detachNic,
  removeNetwork,
  removeNode,
  rowsOf,
  type Store,
} from "../src/store/mod.ts";
import { startDatabase, type TestDatabase } from "./database.ts";
import { netns, network, nic } from "./specs.ts";

const place = { yard: "timplied", host: "h1" };

describe.skipIf(!requires("openvswitch"))("networks of nics that name type and id", () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await startDatabase();
    store = await database.open();
  });
  afterAll(() => database[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const { name } of rowsOf(store.db).nodes) await removeNode(store, name);
    for (const { name } of rowsOf(store.db).networks) await removeNetwork(store, name);
  });

  const nicOf = (node: string) => {
    const found = rowsOf(store.db).nodes.find(({ name }) => name === node)?.nics[0];
    if (found === undefined) throw new Error(`${node} has no nic`);
    return found;
  };
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "no error",
      (error: { code?: string }) => error.code,
    );

  test("a network that nobody declares is there for as long as a nic is on it", async () => {
    const networks = () => rowsOf(store.db).networks.map(({ name }) => name);
    await addNode(store, netns("a", [nic("eth0", "vlan:7")]), place);
    await addNode(store, netns("b", [nic("eth0", "vlan:7"), nic("eth1", "macvlan:eth9")]), place);
    expect(networks()).toEqual(["macvlan:eth9", "vlan:7"]);
    await detachNic(store, "b", "eth1");
    expect(networks()).toEqual(["vlan:7"]);
    await removeNode(store, "a");
    expect(networks()).toEqual(["vlan:7"]);
    // Moved elsewhere, and back again as it did not come to pass.
    const { withdraw } = await attachNic(store, "b", nic("eth0", "bridge:br7"));
    expect(networks()).toEqual(["bridge:br7"]);
    await withdraw?.();
    expect([networks(), nicOf("b").network]).toEqual([["vlan:7"], "vlan:7"]);
    await removeNode(store, "b");
    expect(networks()).toEqual([]);
  });

  test("a network that is declared later takes its nics over, and one declared before has them at once", async () => {
    const office = { ...network("office"), type: "vlan", id: 7, master: "trunk", bridge: undefined } as const;
    await addNode(store, netns("a", [nic("eth0", "vlan:7")]), place);
    const before = nicOf("a").uuid;
    const { withdraw } = await addNetwork(store, office, place);
    expect([nicOf("a").network, nicOf("a").uuid]).toEqual(["office", before]);
    await withdraw?.();
    expect(nicOf("a").network).toBe("vlan:7");
    await addNetwork(store, office, place);
    await addNode(store, netns("b", [nic("eth0", "vlan:7")]), place);
    expect(nicOf("b").network).toBe("office");
    await removeNode(store, "a");
    await removeNode(store, "b");
    expect(rowsOf(store.db).networks.map(({ name }) => name)).toEqual(["office"]);
  });

  test("a NIC is the nic of one node, and of no virtual machine", async () => {
    await addNode(store, netns("a", [nic("eth0", "passthrough:eth9")]), place);
    expect(await code(addNode(store, netns("b", [nic("eth0", "passthrough:eth9")]), place))).toBe(
      "nic.passthrough-taken",
    );
    expect(await code(addNode(store, netns("b", [nic("eth0", "macvlan:eth9")]), place))).toBe("network.parent-taken");
  });
});
