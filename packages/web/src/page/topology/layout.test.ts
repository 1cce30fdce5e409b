import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { layout, settle } from "./layout.ts";
import { type Scene, sceneOf } from "./scene.ts";
import { network, nic, node } from "./view.fixture.ts";

function overlaps(
  { boxes }: Scene,
  positions: ReadonlyMap<string, { readonly x: number; readonly y: number }>,
): string[] {
  const rects = boxes.map(({ id, size }) => ({ id, ...size, ...(positions.get(id) ?? { x: 0, y: 0 }) }));
  return rects.flatMap((a, n) =>
    rects
      .slice(n + 1)
      .filter((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
      .map((b) => `${a.id} ${b.id}`),
  );
}

const star = sceneOf({
  networks: [network("lan")],
  nodes: Array.from({ length: 12 }, (_, n) => node(`pc-${n}`, [nic("eth0", { network: "lan" })])),
});
const office = sceneOf({
  networks: [network("office"), network("lab")],
  nodes: [
    node("web", [nic("eth0", { network: "office" })]),
    node("router", [
      nic("eth0", { network: "office" }),
      nic("eth1", { network: "lab" }),
      nic("w", { link: "router:w--probe:w" }),
    ]),
    node("probe", [nic("w", { link: "router:w--probe:w" })]),
    node("alone", []),
  ],
});

describe("a layout", () => {
  test("stands every box somewhere, none on another", () => {
    for (const scene of [star, office]) {
      const positions = layout(scene);
      expect([...positions.keys()].toSorted()).toEqual(scene.boxes.map(({ id }) => id).toSorted());
      expect(overlaps(scene, positions)).toEqual([]);
    }
  });

  test("is free of overlaps whatever is on what", () => {
    const scene = fc
      .tuple(fc.integer({ min: 0, max: 5 }), fc.array(fc.array(fc.nat(5), { maxLength: 3 }), { maxLength: 25 }))
      .map(([count, nodes]) =>
        sceneOf({
          networks: Array.from({ length: count }, (_, n) => network(`n${n}`)),
          nodes: nodes.map((on, n) =>
            node(
              `h${n}`,
              on.map((to, at) => nic(`eth${at}`, { network: `n${to}` })),
            ),
          ),
        }),
      );
    fc.assert(
      fc.property(scene, (it) => expect(overlaps(it, layout(it))).toEqual([])),
      { numRuns: 60 },
    );
  });

  test("of parts that do not hang together has the shape of a screen", () => {
    const lans = Array.from({ length: 20 }, (_, n) => `lan${n}`);
    const islands = sceneOf({
      networks: lans.map((name) => network(name)),
      nodes: lans.flatMap((lan) =>
        Array.from({ length: 10 }, (_, n) => node(`${lan}-${n}`, [nic("eth0", { network: lan })])),
      ),
    });
    const points = [...layout(islands).values()];
    const [width, height] = [Math.max(...points.map(({ x }) => x)), Math.max(...points.map(({ y }) => y))];
    expect(width / height).toBeGreaterThan(1);
    expect(width / height).toBeLessThan(3);
  });

  test("of a thousand nodes takes less than a second", () => {
    const large = sceneOf({
      networks: Array.from({ length: 20 }, (_, n) => network(`lan${n}`)),
      nodes: Array.from({ length: 1000 }, (_, n) =>
        node(`h${n}`, [
          nic("eth0", { network: `lan${n % 20}` }),
          ...(n % 50 === 0 ? [nic("eth1", { network: `lan${(n / 50 + 1) % 20}` })] : []),
        ]),
      ),
    });
    const began = performance.now();
    expect(layout(large).size).toBe(1020);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("boxes that have a place", () => {
  test("stay there when others come", () => {
    const before = new Map(layout(star)).set("network:lan", { x: 900, y: 700 });
    const more = sceneOf({
      networks: [network("lan"), network("new")],
      nodes: [
        ...Array.from({ length: 12 }, (_, n) => node(`pc-${n}`, [nic("eth0", { network: "lan" })])),
        node("late", [nic("eth0", { network: "lan" })]),
      ],
    });
    const after = settle(more, before);
    for (const [id, at] of before) expect(after.get(id)).toEqual(at);
    // Near its network, wherever that was moved to.
    const [lan, late] = [after.get("network:lan"), after.get("node:late")];
    expect(Math.hypot((late?.x ?? 0) - (lan?.x ?? 0), (late?.y ?? 0) - (lan?.y ?? 0))).toBeLessThan(600);
    expect(after.has("network:new")).toBe(true);
    expect(overlaps(more, after)).toEqual([]);
  });

  test("are all there is to it when nothing is new", () => {
    const before = layout(office);
    expect(settle(office, before)).toBe(before);
  });
});

describe("the picture", () => {
  test("joins a VLAN to the network that it is one of", () => {
    const { lines } = sceneOf({
      networks: [network("trunk"), network("guests", { type: "vlan", master: "trunk" })],
      nodes: [],
    });
    expect(lines).toEqual([
      {
        id: "vlan:guests",
        kind: "vlan",
        from: { box: "network:guests", nic: undefined },
        to: { box: "network:trunk", nic: undefined },
      },
    ]);
  });

  test("has a line for each nic on a network, and one for each wire", () => {
    expect(office.lines.map(({ id }) => id)).toEqual([
      "node:web:eth0",
      "node:router:eth0",
      "node:router:eth1",
      "wire:router:w--probe:w",
    ]);
  });
});
