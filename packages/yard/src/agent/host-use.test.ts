import { expect, test } from "bun:test";
import { parseCidr } from "@switchyard/base";
import type { Link } from "@switchyard/linux";
import { useOf } from "./host-use.ts";

const eth1: Link = {
  index: 2,
  name: "eth1",
  kind: "",
  mac: "02:00:00:00:00:01",
  mtu: 1500,
  up: true,
  carrier: true,
  alias: "",
  peerIndex: 0,
  master: 0,
  group: 0,
  offloads: undefined,
  addresses: [],
};
const others: Link[] = [
  { ...eth1, index: 7, name: "br0", kind: "bridge" },
  { ...eth1, index: 8, name: "mv0", kind: "macvlan", parent: 9 },
  { ...eth1, index: 10, name: "eth2.7", kind: "vlan", parent: 11 },
];

function use(more: Partial<Link>, uplinks: readonly string[] = []): string | undefined {
  const link = { ...eth1, ...more };
  return useOf(link, { links: new Map([link, ...others].map((it) => [it.name, it])), routes: [] }, uplinks);
}

test("a NIC that the host needs is told with what for; one that idles, be it up, is free", () => {
  expect(use({})).toBeUndefined();
  expect(use({ addresses: [{ address: parseCidr("fe80::1/64"), ours: false }] })).toBeUndefined();
  expect(use({ addresses: [{ address: parseCidr("10.0.0.1/24"), ours: false }] })).toContain("10.0.0.1/24");
  expect(use({}, ["eth0", "eth1"])).toContain("default route");
  expect(use({ master: 7 })).toContain("member of br0");
  expect(use({ index: 9 })).toContain("mv0 is a macvlan of it");
  expect(use({ index: 11 })).toContain("eth2.7 is a vlan of it");
  expect(use({ alias: "switchyard:other:end _k_1_0" })).toContain("yard");
  expect(use({ kind: "bridge" })).toContain("bridge itself");
  expect(use({ kind: "bond" })).toContain("keeps in its namespace");
  expect(use({ name: "lo" })).toContain("loopback");
});
