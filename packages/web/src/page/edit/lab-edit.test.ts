import { describe, expect, test } from "bun:test";
import { parseLab } from "@switchyard/yard/model";
import { parse } from "yaml";
import {
  addLink,
  addNetwork,
  addNic,
  addNode,
  attachNic,
  EditRefused,
  removeLink,
  removeNetwork,
  removeNic,
  removeNode,
  setImpair,
  setLinkImpair,
  setNodeImpair,
  setSpy,
} from "./lab-edit.ts";
import { KINDS, type Kind, type NetworkType, networkSpec, nodeSpec, TYPES } from "./specs.ts";

const office = `# An office.
name: office

networks:
  # Where people sit.
  desk: { cidr: 10.1.0.0/24 }
  cellar: {}

nodes:
  web: # serves
    kind: netns
    nics: [desk, { network: cellar, ip: 10.2.0.1/24 }]
  probe:
    kind: netns
    nics:
      - { name: wire0, ip: 10.9.0.2/30 }
  vault: { kind: netns, count: 2, nics: [cellar] }

links:
  - { endpoints: ["web:up0", "probe:wire0"] } # the long one

checks:
  - { ping: { from: web, to: probe } }
  - { ping: { from: vault-1, to: vault-2 } }
`;

/** The lines that one text has and the other has not. */
function difference(before: string, after: string): string[] {
  const [old, fresh] = [before.split("\n"), after.split("\n")];
  return [
    ...old.filter((line) => !fresh.includes(line)).map((line) => `-${line}`),
    ...fresh.filter((line) => !old.includes(line)).map((line) => `+${line}`),
  ];
}

describe("a gesture changes of the file what it means", () => {
  test("a node that is added", () => {
    expect(difference(office, addNode(office, "new", { kind: "vm", nics: ["desk"] }))).toEqual([
      "+  new:",
      "+    kind: vm",
      "+      - desk",
    ]);
    expect(parse(addNode("name: empty\n", "a", { kind: "netns" }))).toEqual({
      name: "empty",
      nodes: { a: { kind: "netns" } },
    });
    expect(parse(addNode("", "a", { kind: "netns" }))).toEqual({ nodes: { a: { kind: "netns" } } });
  });

  test("a network that is added", () => {
    expect(difference(office, addNetwork(office, "lab", { cidr: "10.3.0.0/24" }))).toEqual([
      "+  lab: { cidr: 10.3.0.0/24 }",
    ]);
  });

  test("a nic that is plugged in elsewhere loses the addresses of where it was", () => {
    expect(difference(office, attachNic(office, { node: "web", nic: "eth0" }, "cellar"))).toEqual([
      "-    nics: [desk, { network: cellar, ip: 10.2.0.1/24 }]",
      "+    nics: [ cellar, { network: cellar, ip: 10.2.0.1/24 } ]",
    ]);
    const moved = parse(attachNic(office, { node: "web", nic: "eth1" }, "desk"));
    expect(moved.nodes.web.nics).toEqual(["desk", { network: "desk" }]);
  });

  test("a nic at the end of a wire that is plugged in leaves the wire", () => {
    const { nodes, links } = parse(attachNic(office, { node: "probe", nic: "wire0" }, "desk"));
    expect(nodes.probe.nics).toEqual([{ name: "wire0", network: "desk" }]);
    expect(links).toBeUndefined();
  });

  test("a nic that is added, or taken away while the others keep their names", () => {
    expect(parse(addNic(office, "probe", "desk")).nodes.probe.nics.at(-1)).toEqual({ network: "desk" });
    expect(parse(removeNic(office, { node: "web", nic: "eth0" })).nodes.web.nics).toEqual([
      { network: "cellar", ip: "10.2.0.1/24", name: "eth1" },
    ]);
  });

  test("a wire, whose ends leave their networks", () => {
    const { nodes, links } = parse(addLink(office, { node: "web", nic: "eth0" }, { node: "probe", nic: "wire0" }));
    expect(links).toEqual([{ endpoints: ["web:eth0", "probe:wire0"] }]);
    expect(nodes.web.nics[0]).toEqual({ name: "eth0" });
    expect(parse(removeLink(office, "probe:wire0--web:up0")).links).toBeUndefined();
  });

  test("a node that is taken away with its wires and its checks", () => {
    const { nodes, links, checks } = parse(removeNode(office, "probe"));
    expect(Object.keys(nodes)).toEqual(["web", "vault"]);
    expect(links).toBeUndefined();
    expect(checks).toEqual([{ ping: { from: "vault-1", to: "vault-2" } }]);
  });

  test("a network that is taken away leaves its nics plugged into nothing", () => {
    const { nodes, networks } = parse(removeNetwork(office, "cellar"));
    expect(Object.keys(networks)).toEqual(["desk"]);
    expect(nodes.web.nics).toEqual(["desk", { network: "none" }]);
    expect(nodes.vault.nics).toEqual(["none"]);
  });

  test("spying, and impairment each way", () => {
    expect(parse(setSpy(office, { node: "web", nic: "eth0" }, true)).nodes.web.nics[0]).toEqual({
      network: "desk",
      spy: true,
    });
    const place = { node: "web", nic: "eth1" };
    const delay = { delay: "20ms" };
    expect(parse(setImpair(office, place, { forward: delay, backward: delay })).nodes.web.nics[1].impair).toEqual(
      delay,
    );
    const out = setImpair(office, place, { forward: delay, backward: {} });
    expect(parse(out).nodes.web.nics[1].impair).toEqual({ out: delay });
    expect(parse(setImpair(out, place, { forward: {}, backward: {} }))).toEqual(parse(office));
    expect(
      parse(setLinkImpair(office, "web:up0--probe:wire0", { forward: {}, backward: delay })).links[0].impair,
    ).toEqual({
      backward: delay,
    });
  });

  test("comments and everything else stay", () => {
    const after = setSpy(addNetwork(office, "lab", {}), { node: "probe", nic: "wire0" }, true);
    for (const comment of ["# An office.", "# Where people sit.", "# serves", "# the long one"])
      expect(after).toContain(comment);
    expect(after).toContain('endpoints: ["web:up0", "probe:wire0"]');
  });
});

test("what a gesture leaves is a lab that can be had", () => {
  const [web, probe] = [
    { node: "web", nic: "eth0" },
    { node: "probe", nic: "wire0" },
  ];
  const texts = [
    removeLink(office, "web:up0--probe:wire0"),
    addLink(office, web, probe),
    addLink(addLink(office, web, probe), { node: "web", nic: "eth1" }, web),
    attachNic(office, probe, "desk"),
    removeNetwork(office, "cellar"),
    removeNetwork(removeNetwork(office, "cellar"), "desk"),
    removeNode(office, "web"),
    removeNic(office, web),
    removeNic(office, probe),
    addNic(office, "probe", undefined),
    setSpy(office, { node: "web", nic: "up0" }, true),
    // The image of a machine is looked at, and none is here.
    ...(Object.keys(KINDS) as Kind[])
      .filter((kind) => kind !== "vm")
      // A link to another yard needs no number.
      .map((kind) =>
        addNode(
          office,
          "new",
          nodeSpec(kind, (name) => (name === "id" ? "" : answer(name))),
        ),
      ),
    // A VXLAN that has peers has no master.
    ...(Object.keys(TYPES) as NetworkType[]).map((type) =>
      addNetwork(
        office,
        "new",
        networkSpec(type, (name) => (name === "master" && type === "vxlan" ? "" : answer(name))),
      ),
    ),
    setNodeImpair(addNode(office, "new", { kind: "a2b", nics: ["desk", "cellar"] }), "new", {
      forward: { delay: "20ms" },
      backward: {},
    }),
  ];
  for (const text of texts) {
    const { lab } = parseLab(text, { file: "/lab.yard.yaml", shown: "lab", environment: {} });
    expect(lab.name).toBe("office");
  }
});

/** What somebody writes into the forms. */
function answer(name: string): string {
  const answers: Record<string, string> = {
    network: "desk",
    network2: "cellar",
    image: "busybox",
    command: "sleep 10",
    runtime: "oci",
    cidr: "10.7.0.0/24",
    yard: "other",
    id: "30",
    master: "desk",
    peers: "192.0.2.7 192.0.2.8",
    bridge: "br0",
    parent: "eth9",
    nwid: "8056c2e21c000001",
  };
  return answers[name] ?? "";
}

test("a gesture that has no place in the file is refused in words", () => {
  expect(() => attachNic(office, { node: "vault-1", nic: "eth0" }, "desk")).toThrow(
    new EditRefused("vault-1 is one of several that the file declares as vault: change them there"),
  );
  expect(() => addNode(office, "web", {})).toThrow(new EditRefused("the file declares a node web already"));
  expect(() => addNetwork(office, "desk", {})).toThrow(EditRefused);
  expect(() => removeNode(office, "nobody")).toThrow(EditRefused);
  expect(() => addNode("a: [", "x", {})).toThrow(EditRefused);
});
