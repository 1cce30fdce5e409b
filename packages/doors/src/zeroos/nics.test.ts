import { describe, expect, test } from "bun:test";
import { nicPart, nicSchema, placeNics, segmentId } from "./nics.ts";

const nic = (written: object) => nicSchema.parse(written);
const code = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  return undefined;
};

describe("a client's nics", () => {
  test("are called by their places, removed ones too, or as they say", () => {
    const first = placeNics([], [nic({ type: "default" }), nic({ type: "vlan", id: 5, name: "lan" })]);
    const gone = first.map((one) => ({ ...one, destroyed: true }));
    const more = placeNics(gone, [nic({ type: "default" }), nic({ type: "vlan", id: "5" })]);
    expect(more.map((one) => one.interface)).toEqual(["eth0", "lan", "eth2", "eth3"]);
  });

  test("become nics of the model, with gw or gateway", () => {
    const config = { cidr: "10.0.0.2/24", gw: "10.0.0.1", dns: ["10.0.0.1"] };
    const [placed] = placeNics([], [nic({ type: "vlan", id: "5", hwaddr: "52:54:00:00:00:01", config })]);
    if (placed === undefined) throw new Error("it has no place");
    const part = { name: "eth0", network: "vlan-5", mac: "52:54:00:00:00:01", ip: "10.0.0.2/24" };
    expect(nicPart(placed, "vlan-5")).toEqual({ ...part, gateway: "10.0.0.1", dns: ["10.0.0.1"] });
    expect(nicPart({ ...placed, type: "default" }, "default")).toEqual({
      name: "eth0",
      network: "default",
      mac: "52:54:00:00:00:01",
    });
    expect(code(() => nicPart({ ...placed, hwaddr: "zz" }, "vlan-5"))).toBe("address.bad-mac");
  });

  test.each([
    ["two default ones", [{ type: "default" }, { type: "default" }]],
    [
      "one bridge twice",
      [
        { type: "bridge", id: "b" },
        { type: "bridge", id: "b" },
      ],
    ],
    ["the bridge of the default network", [{ type: "bridge", id: "core0" }]],
    [
      "one name twice",
      [
        { type: "vlan", id: "1", name: "a" },
        { type: "vlan", id: "2", name: "a" },
      ],
    ],
    ["a name like those that are given", [{ type: "vlan", id: "1", name: "eth7" }]],
    [
      "a parent twice",
      [
        { type: "macvlan", id: "e" },
        { type: "macvlan", id: "e" },
      ],
    ],
  ])("are refused: %s", (_, nics) => expect(code(() => placeNics([], nics.map(nic)))).toBe("zeroos.bad-nic"));

  test("may have one VLAN or VXLAN several times, of a number in range", () => {
    expect(placeNics([], [nic({ type: "vlan", id: "1" }), nic({ type: "vlan", id: "1" })])).toHaveLength(2);
    expect(segmentId({ type: "vlan", id: "0" })).toBe(0);
    expect(segmentId({ type: "vxlan", id: "16777215" })).toBe(16_777_215);
    for (const [type, id] of [
      ["vlan", "4095"],
      ["vlan", ""],
      ["vlan", "-1"],
      ["vxlan", "0"],
      ["vxlan", "16777216"],
    ] as const)
      expect(code(() => segmentId({ type, id }))).toBe("zeroos.bad-nic");
  });

  test("of another type are no nics", () => expect(nicSchema.safeParse({ type: "wifi" }).success).toBe(false));
});
