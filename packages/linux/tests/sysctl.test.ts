import { describe, expect, test } from "bun:test";
import { run } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { applyLinks, readSysctls, setSysctls } from "../src/mod.ts";
import { twoNamespaces } from "./scratch.ts";

describe.skipIf(!requires("root", "iproute2"))("sysctls of a namespace", () => {
  test("are set in that namespace alone, by names with dots or slashes", async () => {
    using two = twoNamespaces();
    applyLinks([
      {
        namespace: { name: two.a },
        ops: [{ op: "veth", name: "e.1", peer: { name: "e.1", namespace: { name: two.b } } }],
      },
    ]);
    const values = {
      "net.ipv4.ip_default_ttl": "33",
      "net/ipv6/conf/all/forwarding": "1",
      "net.ipv4.conf.e/1.rp_filter": "2",
      "net/ipv4/conf/e.1/arp_notify": "1",
    };
    expect(setSysctls({ name: two.a }, values)).toEqual([]);
    expect(readSysctls({ name: two.a }, Object.keys(values))).toEqual(values);
    expect(await run(["ip", "netns", "exec", two.a, "cat", "/proc/sys/net/ipv4/conf/e.1/rp_filter"])).toBe("2\n");
    expect(readSysctls({ name: two.b }, ["net.ipv4.ip_default_ttl"])).toEqual({ "net.ipv4.ip_default_ttl": "64" });
  });

  test("that are unknown or take another value fail by name, the others are set", () => {
    using two = twoNamespaces();
    const failures = setSysctls(
      { name: two.a },
      { "net.ipv4.no_such_thing": "1", "net.ipv4.ip_forward": "maybe", "net.ipv4.ip_default_ttl": "33" },
    );
    expect(failures.map(({ name, errno }) => [name, errno])).toEqual([
      ["net.ipv4.no_such_thing", "ENOENT"],
      ["net.ipv4.ip_forward", "EINVAL"],
    ]);
    expect(readSysctls({ name: two.a }, ["net.ipv4.ip_default_ttl", "net.ipv4.no_such_thing"])).toEqual({
      "net.ipv4.ip_default_ttl": "33",
    });
  });

  test("of the host, or with a path's tricks, are refused", () => {
    for (const name of [
      "kernel.hostname",
      "net",
      "net..ipv4",
      "net/../kernel/hostname",
      "net.//.kernel",
      "../net.ipv4",
      "net.ipv4.a b",
    ])
      expect(() => setSysctls("self", { [name]: "1" })).toThrow(expect.objectContaining({ code: "sysctl.bad-name" }));
  });
});
