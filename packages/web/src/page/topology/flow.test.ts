import { describe, expect, test } from "bun:test";
import { Position } from "@xyflow/react";
import { flowNodes } from "./flow.ts";
import { layout } from "./layout.ts";
import { drawnLines } from "./lines.ts";
import { sceneOf } from "./scene.ts";
import { network, nic, node } from "./view.fixture.ts";

const [web, pc] = ["web", "pc"].map((name) => node(name, [nic("eth0", { network: "lan" })]));
const view = { networks: [network("lan")], nodes: [web, pc].filter((it) => it !== undefined) };

test("lines end at dots, which look to where their line goes", () => {
  const scene = sceneOf({
    networks: [network("trunk"), network("guests", { type: "vlan", master: "trunk" })],
    nodes: [
      node("a", [nic("eth0", { network: "guests" }), nic("up", { link: "a:up--b:up" })]),
      node("b", [nic("up", { link: "a:up--b:up" })]),
    ],
  });
  const places = new Map([
    ["network:trunk", { x: 0, y: 0 }],
    ["network:guests", { x: 0, y: 100 }],
    ["node:a", { x: 0, y: 200 }],
    ["node:b", { x: 0, y: 300 }],
  ]);
  const boxes = flowNodes(scene, places, []);
  expect(drawnLines(scene.lines, boxes).map(({ id, path }) => `${id} ${path}`)).toEqual([
    "vlan:guests M95 100L95 58",
    "node:a:eth0 M19.5 200L95 158",
    "wire:a:up--b:up M45.5 262L19.5 300",
  ]);
  const handles = boxes.flatMap((box) => (box.handles ?? []).map(({ id, position, x, y }) => ({ id, position, x, y })));
  expect(handles.slice(2)).toEqual([
    { id: "eth0", position: Position.Top, x: 12.5, y: -7 },
    { id: "up", position: Position.Bottom, x: 38.5, y: 55 },
    { id: "up", position: Position.Top, x: 12.5, y: -7 },
  ]);
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
});
