import { describe, expect, test } from "bun:test";
import { addressing } from "./nic.ts";

const none = { interfaces: [], ips: [], routes: [], dns: {} };

describe("what IPAM gave", () => {
  test("is addresses, then routes, those that a router is reached by first", () => {
    const { ops, mac } = addressing(
      {
        ...none,
        ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }, { address: "fd00::2/64" }],
        routes: [{ dst: "10.9.0.0/16", gw: "192.168.1.1" }, { dst: "0.0.0.0/0" }, { dst: "fd01::/64", priority: 9 }],
      },
      "eth0",
    );
    expect<unknown>(ops).toEqual([
      { op: "address-add", name: "eth0", address: "10.1.0.2/24" },
      { op: "address-add", name: "eth0", address: "fd00::2/64" },
      { op: "route-add", route: { to: "default4", dev: "eth0", via: "10.1.0.1" } },
      { op: "route-add", route: { to: "fd01::/64", dev: "eth0", metric: 9 } },
      { op: "route-add", route: { to: "10.9.0.0/16", dev: "eth0", via: "192.168.1.1" } },
    ]);
    expect<string | undefined>(mac).toBe("0a:58:0a:01:00:02");
  });

  test("is refused where a route has what the kernel is not told", () => {
    const routes = [{ dst: "10.9.0.0/16", mtu: 1400 }];
    expect(() => addressing({ ...none, routes }, "eth0")).toThrow(
      "the route to 10.9.0.0/16 has mtu, which is not served",
    );
  });
});
