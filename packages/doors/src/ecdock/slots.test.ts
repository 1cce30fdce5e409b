import { describe, expect, test } from "bun:test";
import { parseCidr } from "@switchyard/base";
import { slotOf, slotOfPort, vswitchMac } from "./slots.ts";

const ovs0 = { name: "ovs0", address: parseCidr("10.0.0.254/24"), ipv6Prefix: "2001:db8" };

describe("a slot", () => {
  test("fixes names, numbers, addresses and MACs", () => {
    expect(slotOf(ovs0, 1)).toMatchObject({
      port: "ovs0-s01",
      ofport: 1,
      mac: "52:00:0a:00:00:01",
      gateway: "10.0.0.254",
    });
    expect(slotOf(ovs0, 1).addresses.map(String)).toEqual(["10.0.0.1/24", "2001:db8::a00:1/64"]);
    expect(slotOf(ovs0, 127).second).toMatchObject({ port: "ovs0-o127", ofport: 30_127, mac: "52:80:0a:00:00:7f" });
    expect(String(vswitchMac(ovs0))).toBe("52:00:0a:00:00:fe");
  });

  test("counts from the subnet's beginning, whatever its mask", () => {
    const at = (address: string, slot: number) =>
      slotOf({ ...ovs0, ipv6Prefix: "", address: parseCidr(address) }, slot).addresses.map(String);
    expect(at("10.1.2.3/16", 5)).toEqual(["10.1.0.5/16"]);
    expect(at("10.0.0.222/27", 2)).toEqual(["10.0.0.194/27"]);
    expect(() => at("10.0.0.222/27", 31)).toThrow("has no slot 31");
    expect(() => at("10.0.0.3/24", 3)).toThrow("is the switch itself");
  });

  test("is known by its port again", () => {
    expect([slotOfPort("ovs0", "ovs0-s07"), slotOfPort("ovs0", "ovs0-s127")]).toEqual([7, 127]);
    expect([slotOfPort("ovs0", "ovs0-o07"), slotOfPort("ovs0", "ovs1-s07"), slotOfPort("ovs0", "eth0")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
