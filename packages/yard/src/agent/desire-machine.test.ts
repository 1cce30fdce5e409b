import { expect, test } from "bun:test";
import { parseMac } from "@switchyard/base";
import { parse } from "yaml";
import { uuid } from "../../tests/arbitrary-rows.ts";
import { hostFacts, ips, network, nic, vm } from "../../tests/specs.ts";
import type { NetworkSpec, VmSpec } from "../model/types.ts";
import type { Rows } from "../store/rows.ts";
import { networkStatus, nicStatus, nodeStatus } from "../store/status.ts";
import { desire } from "./desire.ts";
import type { HostFacts } from "./host-facts.ts";
import type { State } from "./state.ts";

const facts = { ...hostFacts, kernelBridges: new Set(["br9"]) };

const lan = network("lan", ["10.1.0.0/24", "fd01::/64"], ["10.1.0.254"]);
const nat: NetworkSpec = { ...network("home", ["10.2.0.0/24"], ["10.2.0.1"]), type: "nat" };
const street: NetworkSpec = { ...network("street"), type: "macvlan", parent: "eth9" };
const kernel: NetworkSpec = { ...network("kernel"), type: "bridge", bridge: "br9" };

/** The rows of one machine, whose obj_id is 1. */
function rowsOf(spec: VmSpec): Rows {
  const { nics, ...rest } = spec;
  return {
    yard: { name: "t", nextCfg: 1 },
    hosts: [],
    labs: [],
    links: [],
    bridges: [],
    networks: [lan, nat, street, kernel].map((it, i) => ({
      ...it,
      uuid: uuid(i),
      lab: "one",
      status: networkStatus(new Map()),
    })),
    nodes: [
      {
        uuid: uuid(100),
        name: spec.name,
        objId: 1,
        lab: "one",
        host: "h1",
        stopped: undefined,
        spec: rest,
        nics: nics.map((it, index) => ({
          ...it,
          uuid: uuid(200 + index),
          index,
          mac: it.mac ?? parseMac(`02:00:00:00:01:0${index}`),
          addresses: it.ip ?? [],
          status: nicStatus(new Map()),
        })),
        status: nodeStatus(new Map()),
      },
    ],
  };
}

const stateOf = (spec: VmSpec, more: Partial<HostFacts> = {}): State => desire(rowsOf(spec), { ...facts, ...more });
const configOf = (state: State) => {
  const config = state.machines.get("web")?.config;
  if (config === undefined) throw new Error("there is no machine");
  return config;
};

test("a machine's nic is a tap device that is its port, and it has no namespace", () => {
  const state = stateOf(vm("web", [nic("eth0", "lan", { vlan: 7, mtu: 1400 })]));
  expect(state.namespaces.size).toBe(0);
  expect(state.veths.has("_k_1_0")).toBe(false);
  expect(state.taps.get("_k_1_0")).toMatchObject({
    place: { kind: "port" },
    mtu: 1400,
    up: true,
    purpose: "nic web eth0",
  });
  expect(state.ports.get("_k_1_0")).toMatchObject({ bridge: "_b_lan", tag: 7 });
  expect(configOf(state)).toMatchObject({
    name: "t_web",
    namespace: "yard_t",
    memory: 512,
    nics: [{ index: 0, tap: "_k_1_0", mac: parseMac("02:00:00:00:01:00"), mtu: 1400, offloads: true }],
  });
});

test("on the host's own switch its tap devices are where the others are, in no namespace of a yard", () => {
  expect(configOf(stateOf(vm("web", [nic("eth0", "lan")]), { yard: "system" })).namespace).toBeUndefined();
});

test("on a NIC of the host it has a macvtap with its MAC, on a bridge of the kernel's own a member; neither is a port", () => {
  const state = stateOf(
    vm("web", [nic("eth0", "street", { mac: parseMac("02:00:00:00:00:09") }), nic("eth1", "kernel")]),
  );
  expect([...state.taps.values()]).toMatchObject([
    { place: { kind: "macvtap", parent: "eth9" }, mac: "02:00:00:00:00:09", mtu: 0 },
    { place: { kind: "bridged", bridge: "br9" }, mac: "" },
  ]);
  expect(state.ports.has("_k_1_0") || state.ports.has("_k_1_1")).toBe(false);
  expect(configOf(state).nics.map(({ device }) => device)).toEqual(["macvtap", "host"]);
});

test("it is made anew for its memory or user data, not for its nics", () => {
  const print = (spec: VmSpec) => stateOf(spec).machines.get("web")?.fingerprint;
  const first = print(vm("web", [nic("eth0", "lan")]));
  expect(print(vm("web", [nic("eth0", "home"), nic("eth1", "lan", { ip: ips("10.1.0.7/24") })]))).toBe(first);
  expect(print(vm("web", [nic("eth0", "lan")], { memory: 1024 * 1024 * 1024 }))).not.toBe(first);
  expect(print(vm("web", [nic("eth0", "lan")], { cloudInit: undefined }))).not.toBe(first);
});

test("cloud-init is told what its nics have, in YAML 1.1, and to ask for leases on a nat", () => {
  const digits = parseMac("52:00:10:20:30:40");
  const { seed } = configOf(
    stateOf(
      vm("web", [
        nic("eth0", "lan", { mac: digits, ip: ips("10.1.0.7/24", "fd01::7/64") }),
        nic("up", "home", { ip: ips("10.2.0.7/24") }),
      ]),
    ),
  );
  expect(JSON.parse(seed?.metaData ?? "")).toMatchObject({ "local-hostname": "web" });
  expect(seed?.networkConfig).toContain('"52:00:10:20:30:40"');
  expect(parse(seed?.networkConfig ?? "")).toEqual({
    version: 2,
    ethernets: {
      eth0: {
        match: { macaddress: "52:00:10:20:30:40" },
        "set-name": "eth0",
        dhcp4: false,
        addresses: ["10.1.0.7/24", "fd01::7/64"],
        routes: [{ to: "0.0.0.0/0", via: "10.1.0.254" }],
      },
      up: {
        match: { macaddress: "02:00:00:00:01:01" },
        "set-name": "up",
        dhcp4: true,
        // The way out leads over the other nic.
        "dhcp4-overrides": { "use-routes": false },
      },
    },
  });
});

test("whoever asks for a lease gets whole packets", () => {
  const { nics } = configOf(
    stateOf(vm("web", [nic("eth0", "home", { ip: ips("10.2.0.7/24") }), nic("eth1", "lan", { dhcp: true })])),
  );
  expect(nics.map(({ offloads }) => offloads)).toEqual([false, false]);
});

test("a port of it is published by way of a network that the host is on", () => {
  const spec = vm("web", [nic("eth0", "street"), nic("eth1", "home", { ip: ips("10.2.0.7/24") })], {
    ports: [{ address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" }],
  });
  const file = [...stateOf(spec).files].find(([path]) => path.endsWith("forwards.json"))?.[1];
  expect(file?.type === "text" && JSON.parse(file.text)).toMatchObject({
    forwards: [{ namespace: "host", targetAddress: "10.2.0.7", targetPort: 80 }],
  });
});
