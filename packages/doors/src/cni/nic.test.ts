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

  test("has routes with what only CNI 1.1.0 says of them", () => {
    const routes = [{ dst: "10.9.0.0/16", gw: "10.1.0.9", mtu: 1400, advmss: 1360, table: 100, scope: 0, priority: 7 }];
    expect(addressing({ ...none, routes }, "eth0")).toMatchObject({
      ops: [],
      special: [
        "-4 route add 10.9.0.0/16 dev eth0 via 10.1.0.9 metric 7 table 100 scope 0 mtu 1400 advmss 1360".split(" "),
      ],
    });
  });
});
