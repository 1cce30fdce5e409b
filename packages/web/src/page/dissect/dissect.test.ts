import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dissect } from "./dissect.ts";
import { FilterError, parseFilter } from "./filter.ts";
import { FRAMES } from "./frames.fixture.ts";
import type { Dissection } from "./layer.ts";

type Name = keyof typeof FRAMES;

function bytesOf(name: Name): Uint8Array {
  return new Uint8Array(Buffer.from(FRAMES[name], "hex"));
}

function of(name: Name): Dissection {
  return dissect(bytesOf(name));
}

function value(name: Name, key: string): string | number | undefined {
  return of(name)
    .layers.flatMap(({ fields }) => fields)
    .findLast((field) => field.key === key)?.value;
}

describe("a frame in one line", () => {
  const lines: Record<Name, readonly [protocol: string, source: string, destination: string, info: string | RegExp]> = {
    dhcpDiscover: ["DHCP", "0.0.0.0", "255.255.255.255", /^Discover, transaction 0x6f782a0e$/],
    dhcpAck: ["DHCP", "10.7.0.1", "10.7.0.57", "ACK, transaction 0x6f782a0e, 10.7.0.57"],
    arpRequest: ["ARP", "7a:f3:26:83:fc:0b", "ff:ff:ff:ff:ff:ff", "Who has 10.7.0.1? Tell 10.7.0.50"],
    arpReply: ["ARP", "e6:16:1b:02:e6:d1", "7a:f3:26:83:fc:0b", "10.7.0.1 is at e6:16:1b:02:e6:d1"],
    icmpRequest: ["ICMP", "10.7.0.50", "10.7.0.1", `Echo request, id ${0x2eeb}, seq 1, 56 bytes`],
    neighbourSolicitation: ["ICMPv6", "fd07::2", "ff02::1:ff00:1", "Who has fd07::1?"],
    icmpv6Reply: ["ICMPv6", "fd07::1", "fd07::2", `Echo reply, id ${0x2eec}, seq 1, 56 bytes`],
    dnsQuery: ["DNS", "10.7.0.50", "10.7.0.1", "Query 0x4d8e A web.lab"],
    dnsResponse: ["DNS", "10.7.0.1", "10.7.0.50", "Response 0x4d8e A web.lab, A 10.7.0.9"],
    dnsRefused: ["DNS", "10.7.0.1", "10.7.0.50", "Response 0x93cf A nope.lab (refused)"],
    listenerReport: ["ICMPv6", "fe80::78f3:26ff:fe83:fc0b", "ff02::16", "Multicast listener report v2"],
    tcpSyn: ["TCP", "10.7.0.50", "10.7.0.1", /^39938 → 80 \[SYN\] seq \d+, ack 0, 0 bytes$/],
    tcpData: ["TCP", "10.7.0.1", "10.7.0.50", /^80 → 39938 \[PSH, ACK\] seq \d+, ack \d+, 3 bytes$/],
    tcpReset: ["TCP", "10.7.0.1", "10.7.0.50", /^81 → 49128 \[RST, ACK\]/],
    portUnreachable: ["ICMP", "10.7.0.1", "10.7.0.50", "Destination unreachable (port)"],
    vxlanArp: ["ARP", "e6:36:c0:5b:42:07", "ff:ff:ff:ff:ff:ff", "Who has 10.8.0.1? Tell 10.8.0.2"],
    vxlanIcmp: ["ICMP", "10.8.0.2", "10.8.0.1", `Echo request, id ${0x2f09}, seq 1, 56 bytes`],
    fragment: ["ICMP", "10.7.0.1", "10.7.0.50", /^Echo reply/],
    tagged: ["ICMPv6", "::", "ff02::1:ff00:100", "Who has fe80::74:a6ff:fe00:100?"],
  };
  for (const [name, [protocol, source, destination, info]] of Object.entries(lines))
    test(`${name} says what it is`, () => {
      const seen = of(name as Name);
      expect(seen.protocol).toBe(protocol);
      expect(seen.source).toBe(source);
      expect(seen.destination).toBe(destination);
      expect(seen.info).toMatch(info);
    });
});

describe("a frame taken apart", () => {
  test("shows its layers, outermost first", () => {
    expect(of("vxlanIcmp").layers.map(({ key }) => key)).toEqual(["eth", "ip", "udp", "vxlan", "eth", "ip", "icmp"]);
    expect(of("tagged").layers.map(({ key }) => key)).toEqual(["eth", "vlan", "ipv6", "icmpv6"]);
    expect(of("dhcpAck").layers.map(({ key }) => key)).toEqual(["eth", "ip", "udp", "dhcp"]);
  });

  test("shows what its fields say", () => {
    expect(value("vxlanIcmp", "vxlan.vni")).toBe(1234);
    expect(value("tagged", "vlan.id")).toBe(5);
    expect(value("tcpSyn", "tcp.dstport")).toBe(80);
    expect(value("tcpSyn", "tcp.flags.syn")).toBe(1);
    expect(value("dhcpAck", "dhcp.ip.your")).toBe("10.7.0.57");
    expect(value("dhcpAck", "dhcp.option.ip_address_lease_time")).toBe(120);
    expect(value("dnsResponse", "dns.a")).toBe("10.7.0.9");
    expect(value("icmpRequest", "ip.ttl")).toBe(64);
  });

  test("says where in the frame a field stands", () => {
    const field = of("icmpRequest")
      .layers.flatMap(({ fields }) => fields)
      .find(({ key }) => key === "ip.src");
    expect([...bytesOf("icmpRequest").subarray(field?.offset, (field?.offset ?? 0) + (field?.length ?? 0))]).toEqual([
      10, 7, 0, 50,
    ]);
  });

  test("is told as far as it goes when it is cut short", () => {
    const seen = dissect(bytesOf("tcpSyn").subarray(0, 40));
    expect(seen.layers.map(({ key }) => key)).toEqual(["eth", "ip"]);
    expect(seen.info).toBe("TCP, 6 bytes (cut short)");
  });

  test("is never refused, whatever bytes it has", () => {
    const real = fc.constantFrom(...Object.keys(FRAMES)).map((name) => bytesOf(name as Name));
    const spoilt = fc
      .tuple(real, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 20 }), fc.nat(400))
      .map(([bytes, changes, length]) => {
        const frame = bytes.slice(0, length);
        for (const [at, byte] of changes) if (at < frame.length) frame[at] = byte;
        return frame;
      });
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.uint8Array({ maxLength: 200 })), (frame) => {
        for (const { fields } of dissect(frame).layers)
          for (const { offset, length } of fields) expect(offset + length).toBeLessThanOrEqual(frame.length);
      }),
    );
  });
});

describe("a display filter", () => {
  const shown = (filter: string) => {
    const passes = parseFilter(filter);
    return (Object.keys(FRAMES) as Name[]).filter((name) => passes(of(name)));
  };

  test("shows every frame when it is empty", () => {
    expect(shown(" ").length).toBe(Object.keys(FRAMES).length);
  });

  test("names protocols and fields", () => {
    expect(shown("arp")).toEqual(["arpRequest", "arpReply", "vxlanArp"]);
    expect(shown("vlan.id == 5")).toEqual(["tagged"]);
    expect(shown("tcp.port==80")).toEqual(["tcpSyn", "tcpData"]);
    expect(shown('dns.qry.name contains "web"')).toEqual(["dnsQuery", "dnsResponse"]);
    expect(shown("tcp.flags.reset == 1 or tcp.flags.rst == 1")).toEqual(["tcpReset"]);
    expect(shown("vxlan.vni == 0x4d2")).toEqual(["vxlanArp", "vxlanIcmp"]);
  });

  test("joins, turns round and groups", () => {
    expect(shown("icmp && !vxlan && ip.src == 10.7.0.50")).toEqual(["icmpRequest"]);
    expect(shown("(arp or icmp) and vxlan")).toEqual(["vxlanArp", "vxlanIcmp"]);
    expect(shown("not ip and not ipv6")).toEqual(["arpRequest", "arpReply"]);
    expect(shown("ip.addr == 10.7.0.57 && udp.length > 100")).toEqual(["dhcpAck"]);
    expect(shown("tcp && tcp.port != 80")).toEqual(["tcpReset"]);
  });

  test("that cannot be read says what is wrong", () => {
    for (const wrong of ["tcp &&", "(arp", "arp arp", "tcp.port ==", "== 5", "tcp.port > many", "arp)"])
      expect(() => parseFilter(wrong)).toThrow(FilterError);
  });

  test("is read or refused, whatever is typed", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFilter(text)(of("tcpSyn"));
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
        }
      }),
    );
  });
});
