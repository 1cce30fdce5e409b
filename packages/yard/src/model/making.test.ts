import { describe, expect, test } from "bun:test";
import { YardError, YardErrors } from "@switchyard/base";
import { parseLab } from "./parse.ts";

const source = { file: "lab.yaml", environment: {} };

function networks(text: string) {
  return parseLab(`name: t\nnetworks:\n${text}`, source).lab.networks;
}

function told(text: string): string[] {
  try {
    networks(text);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof YardError)) throw thrown;
    const all = thrown instanceof YardErrors ? thrown.errors : [thrown];
    return all.map(({ code, where }) => `${where?.replace(/^[^:]*:/, "")} ${code}`);
  }
}

describe("a network of type vlan", () => {
  test("is a VLAN of the backplane unless it names another master, on a bridge named after its number", () => {
    expect(
      networks("  a: { type: vlan, id: 100 }\n  b: { type: vlan, id: 0, master: a, bridge: office }"),
    ).toMatchObject([
      { name: "a", type: "vlan", id: 100, master: "backplane", bridge: undefined },
      { name: "b", type: "vlan", id: 0, master: "a", bridge: "office" },
    ]);
  });

  test("needs a number from 0 to 4094, and names that a bridge can have", () => {
    expect(told("  a: { type: vlan }\n  b: { type: vlan, id: 4095 }\n  c: { type: vlan, id: -1 }")).toEqual([
      "3:3 network.id-missing",
      "4:24 lab.out-of-range",
      "5:24 lab.out-of-range",
    ]);
    expect(told('  a: { type: vlan, id: 1, bridge: -x, master: "a b" }')).toEqual([
      "3:35 network.bad-bridge",
      "3:47 network.bad-bridge",
    ]);
  });

  test("cannot have the number or the bridge of another, or be its own master", () => {
    expect(told("  a: { type: vlan, id: 7 }\n  b: { type: vlan, id: 7, master: other }")).toEqual([
      "4:24 network.bridge-taken",
    ]);
    expect(told("  a: { type: vlan, id: 7 }\n  b: { type: vlan, id: 8, bridge: vlbr7 }")).toEqual([
      "4:35 network.bridge-taken",
    ]);
    expect(told("  a: { type: vlan, id: 7, master: b }\n  b: { type: vlan, id: 8, master: vlbr7 }")).toEqual([
      "3:35 network.master-loop",
      "4:35 network.master-loop",
    ]);
  });

  test("is meant where its keys are written without its type", () => {
    expect(told("  a: { id: 7, master: b }")).toEqual(["3:8 network.other-type", "3:15 network.other-type"]);
  });
});

describe("a network of type vxlan", () => {
  test("is joined to its peers, each told once, at the assigned port", () => {
    expect(networks("  a: { type: vxlan, id: 16777215, peers: [10.2.0.2, 10.2.0.2, FD09::2] }")).toMatchObject([
      { type: "vxlan", id: 16777215, peers: ["10.2.0.2", "fd09::2"], port: 4789, bridge: undefined },
    ]);
  });

  test("without peers goes out by the backend of Zero-OS, or by what is named", () => {
    expect(
      networks(
        "  a: { type: vxlan, id: 1 }\n  b: { type: vxlan, id: 2, master: low, address: 10.2.0.1/24, port: 4789 }",
      ),
    ).toMatchObject([
      { type: "vxlan", peers: [], master: "vxbackend", address: undefined, port: 8472 },
      { type: "vxlan", peers: [], master: "low", address: "10.2.0.1/24", port: 4789 },
    ]);
  });

  test("has peers that are addresses and a number from 1, and with them no master", () => {
    expect(
      told(
        "  a: { type: vxlan, id: 0, peers: [10.2.0.300] }\n  b: { type: vxlan, id: 1, master: x, peers: 10.2.0.3, address: 10.2.0.1/24 }",
      ),
    ).toEqual(["3:25 lab.out-of-range", "3:36 address.bad-ip", "4:28 network.two-ways", "4:56 network.two-ways"]);
  });
});

describe("a network of type zerotier", () => {
  test("has a number, and neither it nor its nics say what its controller decides", () => {
    expect(networks('  a: { type: zerotier, nwid: "8056C2E21C000001" }')).toMatchObject([
      { type: "zerotier", nwid: "8056c2e21c000001", cidr: [], gateway: [] },
    ]);
    expect(told("  a: { type: zerotier }\n  b: { type: zerotier, nwid: 8056c2, cidr: 10.1.0.0/24 }")).toEqual([
      "3:3 network.nwid-missing",
      "4:30 network.bad-nwid",
      "4:38 network.managed",
    ]);
    const nics =
      "nodes: { n: { kind: netns, nics: [ { network: a, ip: 10.1.0.1/24, vlan: 5 } ] }, v: { kind: netns, nics: [ { network: b, identity: x } ] } }";
    expect(told(`  a: { type: zerotier, nwid: "8056c2e21c000001" }\n  b: {}\n${nics}`)).toEqual([
      "5:50 nic.managed",
      "5:67 nic.managed",
      "5:122 nic.managed",
    ]);
  });
});

describe("a network of type nat", () => {
  test("has the host on its first address, or where it is told to", () => {
    const two =
      "  a: { type: nat, cidr: 10.1.0.0/16 }\n  b: { type: nat, cidr: 10.2.0.0/24, gateway: 10.2.0.9 }\n  c: { type: nat }";
    expect(networks(two).map(({ cidr, gateway }): unknown => [cidr, gateway])).toEqual([
      [["10.1.0.0/16"], ["10.1.0.1"]],
      [["10.2.0.0/24"], ["10.2.0.9"]],
      [[], []],
    ]);
  });

  test("is for both families, of IPv6 for a /64, and its gateway no nic can have", () => {
    const [a] = networks("  a: { type: nat, cidr: [10.1.0.0/24, fd01::/64], gateway: 10.1.0.9 }");
    expect(a?.gateway.map(String)).toEqual(["10.1.0.9", "fd01::1"]);
    expect(told("  a: { type: nat, cidr: [10.1.0.0/24, fd01::/72] }")).toEqual(["3:39 network.nat-prefix"]);
    const nic = "nodes: { n: { kind: netns, nics: [ { network: a, slot: 1 } ] } }";
    expect(told(`  a: { type: nat, cidr: 10.1.0.0/24 }\n${nic}`)).toEqual(["4:56 nic.slot-taken"]);
  });

  test("is there under the name `default` without being declared", () => {
    const text = "name: t\nnodes: { n: { kind: netns, nics: [default] } }";
    const { lab } = parseLab(text, source);
    expect(lab.networks).toEqual([]);
    expect(lab.nodes[0]?.nics).toMatchObject([{ network: "default" }]);
  });
});

describe("a network of type bridge", () => {
  test("is a bridge that is there, whatever its name, and no two are the same", () => {
    expect(networks("  a: { type: bridge, bridge: _b_x~1 }")).toMatchObject([{ type: "bridge", bridge: "_b_x~1" }]);
    expect(told("  a: { type: bridge }\n  b: { type: bridge, bridge: a/b }")).toEqual([
      "3:3 network.bridge-missing",
      "4:30 network.bad-bridge",
    ]);
    expect(told("  a: { type: bridge, bridge: x }\n  b: { type: bridge, bridge: x }")).toEqual([
      "4:30 network.bridge-taken",
    ]);
  });
});
