import { describe, expect, test } from "bun:test";
import type { Problems } from "./fields.ts";
import { parseResult, type Result, renderResult } from "./result.ts";
import { VERSIONS } from "./versions.ts";

const result: Result = {
  interfaces: [
    { name: "cni0123456789ab", mac: "02:00:00:00:00:01", mtu: 1500 },
    { name: "eth0", mac: "0a:58:0a:01:00:02", mtu: 1500, sandbox: "/run/netns/c1", socketPath: "/run/s" },
  ],
  ips: [
    { address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 1 },
    { address: "fd00::2/64", interface: 1 },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1", priority: 5 }, { dst: "fd01::/64" }],
  dns: { nameservers: ["10.1.0.1"] },
};

const old = {
  ip4: { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }] },
  ip6: { ip: "fd00::2/64", routes: [{ dst: "fd01::/64" }] },
  dns: { nameservers: ["10.1.0.1"] },
};
const middle = {
  interfaces: [
    { name: "cni0123456789ab", mac: "02:00:00:00:00:01" },
    { name: "eth0", mac: "0a:58:0a:01:00:02", sandbox: "/run/netns/c1" },
  ],
  ips: [
    { version: "4", address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 1 },
    { version: "6", address: "fd00::2/64", interface: 1 },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }, { dst: "fd01::/64" }],
  dns: { nameservers: ["10.1.0.1"] },
};
const first = { ...middle, ips: middle.ips.map(({ version: _, ...ip }) => ip) };

/** What each version's SPEC.md shows. */
const golden = {
  "0.1.0": old,
  "0.2.0": old,
  "0.3.0": middle,
  "0.3.1": middle,
  "0.4.0": middle,
  "1.0.0": first,
  "1.1.0": result,
};

describe("a result", () => {
  for (const version of VERSIONS)
    test(`is written as CNI ${version} has it, and read back`, () => {
      const text = renderResult(result, version);
      expect(JSON.parse(text)).toEqual({ cniVersion: version, ...golden[version] });
      const problems: Problems = { wrong: [], unsupported: [] };
      const again = parseResult(JSON.parse(text), "prevResult", problems);
      expect(problems.wrong).toEqual([]);
      expect(JSON.parse(renderResult(again, version))).toEqual(JSON.parse(text));
    });

  test("without an address is written since 0.3.0 only", () => {
    const bare = { ...result, ips: [], routes: [], dns: {} };
    expect(JSON.parse(renderResult(bare, "0.3.0"))).toEqual({
      cniVersion: "0.3.0",
      interfaces: middle.interfaces,
      dns: {},
    });
    expect(() => renderResult(bare, "0.2.0")).toThrow("a result of CNI 0.2.0 cannot be without an address");
  });

  test("that is none is told with all that is wrong", () => {
    const problems: Problems = { wrong: [], unsupported: [] };
    parseResult({ interfaces: [1], ips: [{}], routes: [{ gw: 5 }] }, "prevResult", problems);
    expect(problems.wrong).toEqual([
      "prevResult.interfaces[0] is 1, and should be an object",
      "prevResult.ips[0].address is missing",
      "prevResult.routes[0].dst is missing",
    ]);
  });
});
