import { describe, expect, test } from "bun:test";
import { YardError, YardErrors } from "@switchyard/base";
import { parseLab } from "./parse.ts";

const networks = "networks: { office: { type: vlan, id: 100, master: trunk, cidr: 10.1.0.0/24 }, trunk: {} }";

function nicsOf(nics: string, declared = networks) {
  const { lab } = parseLab(`name: l\n${declared}\nnodes: { n: { kind: netns, nics: [ ${nics} ] } }\n`, {
    file: "",
    environment: {},
  });
  return lab.nodes[0]?.nics ?? [];
}

function codesOf(nics: string): string[] {
  try {
    nicsOf(nics);
    return [];
  } catch (error) {
    if (!(error instanceof YardError)) throw error;
    return (error instanceof YardErrors ? error.errors : [error]).map(({ code }) => code);
  }
}

describe("a nic that names its network by type and id", () => {
  test("is on the one that is declared so, and has an address of it", () => {
    expect(nicsOf('{ type: vlan, id: "100" }')).toMatchObject([{ network: "office", ip: undefined }]);
    expect(nicsOf("{ type: vlan, id: 100 }, vlan:0100")).toMatchObject([{ network: "office" }, { network: "office" }]);
  });

  test("is on one that nobody declares otherwise, however it is written", () => {
    const config = 'config: { cidr: 10.9.0.1/24, gw: 10.9.0.254, dns: [10.9.0.53] }, hwaddr: "02:00:00:00:00:01"';
    expect(nicsOf(`{ type: vlan, id: 7, name: lan, ${config} }`)).toMatchObject([
      { network: "vlan:7", name: "lan", ip: ["10.9.0.1/24"], gateway: ["10.9.0.254"], mac: "02:00:00:00:00:01" },
    ]);
    const names = ["vxlan", "bridge", "macvlan", "passthrough"].map((type) => `${type}:9`);
    expect(nicsOf(names.join(", ")).map(({ network }) => network)).toEqual(names);
    expect(nicsOf("{ type: default }, default").map(({ network }) => network)).toEqual(["default", "default"]);
  });

  test("is refused where that is no id, no type, or contradicts the network that it names too", () => {
    expect(codesOf("{ type: vlan }")).toEqual(["nic.bad-id"]);
    expect(codesOf("{ type: vlan, id: 4095 }, { type: vxlan, id: 0 }, { type: vlan, id: -1 }")).toHaveLength(3);
    expect(codesOf("{ type: macvlan, id: a/b }")).toEqual(["nic.bad-id"]);
    expect(codesOf("{ type: macvln, id: eth1 }")[0]).toBe("lab.unknown-value");
    expect(codesOf("{ id: 5 }")).toContain("nic.id-without-type");
    expect(codesOf("{ network: trunk, type: vlan, id: 100 }")).toEqual(["nic.two-networks"]);
    expect(codesOf("{ network: 'macvln:eth1' }")).toEqual(["nic.bad-id"]);
    expect(codesOf("{ type: macvlan, id: eth1, vlan: 5 }")).toEqual(["nic.no-port"]);
  });
});
