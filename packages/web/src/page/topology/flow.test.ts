import { describe, expect, test } from "bun:test";
import { flowEdges, flowNodes } from "./flow.ts";
import { layout } from "./layout.ts";
import { sceneOf } from "./scene.ts";
import { network, nic, node } from "./view.fixture.ts";

const [web, pc] = ["web", "pc"].map((name) => node(name, [nic("eth0", { network: "lan" })]));
const view = { networks: [network("lan")], nodes: [web, pc].filter((it) => it !== undefined) };

test("every line ends at dots and boxes that there are", () => {
  const scene = sceneOf({
    networks: [network("trunk"), network("guests", { type: "vlan", master: "trunk" })],
    nodes: [
      node("a", [nic("eth0", { network: "guests" }), nic("up", { link: "a:up--b:up" })]),
      node("b", [nic("up", { link: "a:up--b:up" })]),
    ],
  });
  const handles = flowNodes(scene, layout(scene), []).flatMap((box) =>
    (box.handles ?? []).map(({ id, type }) => `${box.id} ${id} ${type}`),
  );
  const edges = flowEdges(scene, undefined, []);
  expect(edges.length).toBe(3);
  for (const { source, sourceHandle, target, targetHandle } of edges) {
    expect(handles).toContain(`${source} ${sourceHandle} source`);
    const ends = [`${target} ${targetHandle} target`, `${target} ${targetHandle} source`];
    expect(ends.some((end) => handles.includes(end))).toBe(true);
  }
});

describe("what is drawn again", () => {
  test("is the box that says something else, and no other", () => {
    const scene = sceneOf(view);
    const positions = layout(scene);
    const before = flowNodes(scene, positions, []);
    const changed = sceneOf({
      ...view,
      nodes: view.nodes.map((it) => (it.name === "pc" ? { ...it, state: "failed" } : it)),
    });
    const after = flowNodes(changed, positions, before);
    expect(after.map((it, n) => it === before[n])).toEqual([true, true, false]);
    expect(flowNodes(sceneOf(view), positions, before)).toBe(before);
  });

  test("is the line that goes elsewhere, and no other", () => {
    const before = flowEdges(sceneOf(view), undefined, []);
    const moved = {
      ...view,
      networks: [network("lan"), network("other")],
      nodes: [node("web", [nic("eth0", { network: "other" })]), ...view.nodes.slice(1)],
    };
    const after = flowEdges(sceneOf(moved), undefined, before);
    expect(after.map((it, n) => it === before[n])).toEqual([false, true]);
    expect(after[0]?.target).toBe("network:other");
  });
});
