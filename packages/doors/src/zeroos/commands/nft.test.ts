import { expect, test } from "bun:test";
import { openPortRule } from "./nft.ts";

const rule = (port: number, device?: string, subnet?: string) => openPortRule({ port, interface: device, subnet });

test("an open port is told in the words of nft", () => {
  expect(rule(80)).toBe("tcp dport 80 accept");
  expect(rule(22, "zt0")).toBe('iifname "zt0" tcp dport 22 accept');
  expect(rule(443, "eth0", "10.1.2.3/16")).toBe('iifname "eth0" ip saddr 10.1.0.0/16 tcp dport 443 accept');
  expect(rule(443, undefined, "10.1.2.3")).toBe("ip saddr 10.1.2.3 tcp dport 443 accept");
  expect(rule(443, undefined, "10.1.2.3/32")).toBe("ip saddr 10.1.2.3 tcp dport 443 accept");
  expect(rule(443, undefined, "0.0.0.0/0")).toBe("tcp dport 443 accept");
  expect(rule(443, undefined, "fd00::5/64")).toBe("ip6 saddr fd00::/64 tcp dport 443 accept");
});

test("what is no device and no subnet is refused", () => {
  expect(() => rule(80, 'x" drop')).toThrow(expect.objectContaining({ code: "link.bad-name" }));
  expect(() => rule(80, undefined, "10.1.2.0/33")).toThrow(expect.objectContaining({ code: "address.bad-cidr" }));
  expect(() => rule(80, undefined, "here")).toThrow(expect.objectContaining({ code: "address.bad-ip" }));
});
