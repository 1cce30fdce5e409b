import { expect, test } from "bun:test";
import fc from "fast-check";
import { bridgeName, hubName, parseHubName, parsePortName, portName, spyName, wireName } from "./names.ts";

test("a lan's bridge is _b_<lan>, a nic's port _k_<obj_id>_<n>, its spy s_k_<obj_id>_<n>", () => {
  expect(bridgeName("lan01")).toBe("_b_lan01");
  expect(bridgeName("twelve-chars")).toBe("_b_twelve-chars");
  expect(portName(2, 0)).toBe("_k_2_0");
  expect(spyName(portName(2, 0))).toBe("s_k_2_0");
  expect(wireName(17, 3)).toBe("_w_17_3");
  expect(spyName("vnet0")).toBe("s_vnet0");
  expect(spyName("k_2_0")).not.toBe(spyName("_k_2_0"));
});

test("a longer lan's name is shortened, the same way every time, and tells lans apart", () => {
  expect(bridgeName("headquarters-1")).toMatch(/^_b_hea~[0-9A-Za-z]{8}$/);
  expect(bridgeName("headquarters-1")).toBe(bridgeName("headquarters-1"));
  expect(bridgeName("headquarters-1")).not.toBe(bridgeName("headquarters-2"));
});

test("the names of ten thousand long lans are all different", () => {
  const names = Array.from({ length: 10_000 }, (_, i) => bridgeName(`a-rather-long-network-${i}`));
  expect(new Set(names).size).toBe(names.length);
});

test("whatever the network is called, its bridge has a name that the kernel and the switch accept", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (network) => {
      expect(bridgeName(network)).toMatch(/^_b_[A-Za-z0-9_.~-]{1,12}$/);
      expect(spyName(network)).toMatch(/^s[~_][A-Za-z0-9_.~-]{1,13}$/);
    }),
  );
});

test("two networks never share a bridge's name, a short one never that of a shortened one", () => {
  const network = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,30}$/);
  fc.assert(
    fc.property(network, network, (a, b) => {
      expect(bridgeName(a) === bridgeName(b)).toBe(a === b);
    }),
  );
});

test("a port's name says which nic of which node it is", () => {
  const number = fc.nat({ max: 99_999 });
  fc.assert(
    fc.property(number, number, (objId, n) => {
      expect(parsePortName(portName(objId, n))).toEqual({ objId, n });
      expect(parseHubName(hubName(objId, n))).toEqual({ objId, n });
      expect(spyName(portName(objId, n)).length).toBeLessThanOrEqual(15);
    }),
  );
  for (const other of ["_k_1", "_k_01_2", "_k_1_x", "eth0", "s_k_1_0", "_i_1_0"])
    expect(parsePortName(other)).toBeUndefined();
  expect(parseHubName("_k_1_0")).toBeUndefined();
});

test("numbers that would not fit are refused", () => {
  for (const [objId, n] of [
    [-1, 0],
    [1.5, 0],
    [123_456_789, 10],
    [Number.NaN, 0],
  ] as const)
    expect(() => portName(objId, n)).toThrow(expect.objectContaining({ code: "switch.bad-number" }));
});
