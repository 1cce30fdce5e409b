import { describe, expect, test } from "bun:test";
import { parseCidr, parseIp } from "@switchyard/base";
import { formatRoute, parseRoute, routeDevice } from "./route.ts";

describe("a route's text", () => {
  test("is one for each route, and reads back", () => {
    const routes = [
      { to: "default4" as const, via: parseIp("10.0.0.9"), dev: "eth0" },
      { to: "default6" as const, via: parseIp("fd01::9"), dev: "eth0", metric: 5 },
      { to: parseCidr("10.9.0.0/16"), dev: "eth0" },
      { to: parseCidr("fd09::/64"), via: parseIp("fe80::1"), dev: "metric", metric: 1 },
    ];
    expect(routes.map(formatRoute)).toEqual([
      "default4 via 10.0.0.9 dev eth0",
      "default6 via fd01::9 dev eth0 metric 5",
      "10.9.0.0/16 dev eth0",
      "fd09::/64 via fe80::1 dev metric metric 1",
    ]);
    expect(routes.map(formatRoute).map(parseRoute)).toEqual(routes);
    expect(routes.map(formatRoute).map(routeDevice)).toEqual(["eth0", "eth0", "eth0", "metric"]);
  });

  test("leaves out the metric that the kernel gives where none is asked for", () => {
    const dev = "eth0";
    expect(formatRoute({ to: "default6", dev, metric: 1024 })).toBe("default6 dev eth0");
    expect(formatRoute({ to: parseCidr("fd09::/64"), dev, metric: 1024 })).toBe("fd09::/64 dev eth0");
    expect(formatRoute({ to: "default4", dev, metric: 0 })).toBe("default4 dev eth0");
    expect(formatRoute({ to: "default4", dev, metric: 1024 })).toBe("default4 dev eth0 metric 1024");
  });
});
