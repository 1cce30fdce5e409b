import { describe, expect, test } from "bun:test";
import { addressOf, contains, parseCidr, parseIp } from "@switchyard/base";
import fc from "fast-check";
import { derivedMacs, Segment, slotAddresses, slotMac } from "./addresses.ts";
import { MAX_OBJ_ID, ObjIds } from "./ids.ts";

describe("MAC addresses", () => {
  test("a slot's is 52:00 and its IPv4 address", () => {
    const addresses = slotAddresses([parseCidr("fd01::/64"), parseCidr("10.1.0.0/16")], 300);
    expect(addresses.map(String)).toEqual(["fd01::12c/64", "10.1.1.44/16"]);
    expect(String(slotMac(addresses))).toBe("52:00:0a:01:01:2c");
    expect(slotMac([])).toBeUndefined();
  });

  test("no two nics of a yard derive the same, and two yards differ", () => {
    const one = derivedMacs("one");
    const seen = new Set<string>();
    for (let id = 1; id <= MAX_OBJ_ID; id += 97) for (let n = 0; n < 1000; n += 37) seen.add(one(id, n));
    expect(seen.size).toBe(Math.ceil(MAX_OBJ_ID / 97) * Math.ceil(1000 / 37));
    expect(derivedMacs("two")(1, 0)).not.toBe(one(1, 0));
    expect(String(one(0x1234, 5))).toMatch(/^02:..:..:12:34:05$/);
    expect(String(one(0x1234, 0x305))).toMatch(/^0e:..:..:12:34:05$/);
  });
});

describe("the allocator", () => {
  test("gives every host of a subnet once, lowest first, but for those that are taken or reserved", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("10.0.0.0/29", "10.0.0.8/30", "10.0.0.0/31", "fd01::/126"),
        fc.uniqueArray(fc.nat({ max: 7 })),
        fc.uniqueArray(fc.nat({ max: 7 })),
        (text, taken, reserved) => {
          const cidr = parseCidr(text);
          const ip = (n: number) => parseIp(text.includes(":") ? `fd01::${n}` : `10.0.0.${n}`);
          const segment = new Segment("lan", []);
          for (const n of taken) segment.takeIp(ip(n), "x:eth0");
          for (const n of reserved) segment.reserve(ip(n));
          const given: string[] = [];
          for (;;) {
            try {
              given.push(addressOf(segment.allocate(cidr, "y:eth0")));
            } catch (error) {
              expect(error).toMatchObject({ code: "network.addresses-exhausted" });
              break;
            }
          }
          const kept = new Set([...taken, ...reserved].map((n) => String(ip(n))));
          const hosts = { "10.0.0.0/29": [1, 6], "10.0.0.8/30": [9, 10], "10.0.0.0/31": [1, 1], "fd01::/126": [1, 3] };
          const [first = 0, last = 0] = hosts[text as keyof typeof hosts];
          const all = Array.from({ length: last - first + 1 }, (_, i) => ip(first + i));
          expect(given).toEqual(all.filter((it) => !kept.has(it)));
          expect(all.every((it) => contains(cidr, it))).toBe(true);
        },
      ),
    );
  });
});

describe("obj_ids", () => {
  test("are given in order, wrap, pass over those in use, and end when all are", () => {
    const ids = new ObjIds(MAX_OBJ_ID - 1, [MAX_OBJ_ID, 1, 3]);
    expect([ids.take(), ids.take(), ids.take()]).toEqual([MAX_OBJ_ID - 1, 2, 4]);
    expect(ids.next).toBe(5);
    const full = new ObjIds(
      9,
      Array.from({ length: MAX_OBJ_ID }, (_, i) => i + 1),
    );
    expect(() => full.take()).toThrow("65535 nodes");
  });
});
