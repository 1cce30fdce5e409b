import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const NAME = `tleasec${process.pid}`;
const device = `tl${process.pid}`;
const lab = (name: string, cidr: string, gateway: string) => `name: ${name}
networks:
  ${name}: { cidr: ${cidr}, gateway: ${gateway} }
nodes: { ${name}: { kind: netns, nics: [${name}] } }
`;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping"))(
  "a network whose subnet the host has elsewhere",
  () => {
    let before: Machine;
    let site: Site;
    const [first, second] = [yardName(), yardName()];

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      await run(["ip", "link", "add", device, "up", "type", "veth", "peer", "name", `${device}p`]);
      await run(["ip", "link", "set", `${device}p`, "up"]);
      await run(["ip", "address", "add", "10.89.1.1/24", "dev", device]);
      await run(["ip", "route", "add", "10.89.128.0/17", "via", "10.89.1.9"]);
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await tryRun(["ip", "link", "delete", device]);
      await expectSameMachine(before, { ours: new RegExp(`${NAME}|${first}|${second}|${device}`) });
    });

    const refused = async (yard: string, file: string, text: string, reason: string) => {
      site.write(file, text);
      const { code, stderr } = await site.yard(yard, ["up", file]);
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("[network.overlaps-host]") });
      expect(stderr).toContain(`--> ${file}:3:`);
      expect(stderr).toContain(reason);
    };

    test("is refused at its place, be it an address or a route, and no yard is started", async () => {
      await refused(first, "address.yard.yaml", lab("address", "10.89.1.0/25", "10.89.1.126"), `has on ${device}`);
      await refused(first, "route.yard.yaml", lab("route", "10.89.200.0/24", "10.89.200.1"), `route by ${device}`);
      expect(existsSync(join(dirname(site.folder), "run"))).toBe(false);
    });

    test("is refused where another yard or lab has it, which goes on as it was", async () => {
      site.write("one.yard.yaml", lab("one", "10.89.2.0/24", "10.89.2.254"));
      expect(await site.yard(first, ["up", "one.yard.yaml"])).toMatchObject({ code: 0 });
      await refused(second, "two.yard.yaml", lab("two", "10.89.2.0/23", "10.89.3.254"), "has on y");
      site.write("same.yard.yaml", lab("same", "10.89.2.0/24", "10.89.2.253"));
      const same = await site.yard(first, ["up", "same.yard.yaml"]);
      expect(same.stderr).toContain("[network.overlap]");
      expect(same.stderr).toContain("--> same.yard.yaml:3:");
      expect((await tryRun(["ping", "-c", "1", "-W", "2", "10.89.2.1"])).code).toBe(0);
      expect((await site.yard(first, ["ps", "--labs"])).stdout).not.toContain("same");
      // The lab itself is no obstacle to itself, also when its network is called otherwise.
      site.write(
        "one.yard.yaml",
        lab("one", "10.89.2.0/24", "10.89.2.254").replace("  one: {", "  uno: {").replace("[one]", "[uno]"),
      );
      expect(await site.yard(first, ["up", "one.yard.yaml"])).toMatchObject({ code: 0 });
      expect((await tryRun(["ping", "-c", "1", "-W", "2", "10.89.2.1"])).code).toBe(0);
    });

    test("may be used on the bridge that has it, whose address is the way out there", async () => {
      const bridge = `tlb${process.pid}`;
      const made = await site.yard(second, ["bridge", "create", bridge, "--mode", "static", "--cidr", "10.89.5.1/24"]);
      expect(made).toMatchObject({ code: 0 });
      const desk = lab("desk", "10.89.5.0/24", "10.89.5.1").replace(
        "{ cidr",
        `{ type: bridge, bridge: ${bridge}, cidr`,
      );
      site.write("desk.yard.yaml", desk);
      expect(await site.yard(second, ["up", "desk.yard.yaml"])).toMatchObject({ code: 0, stderr: "" });
      expect((await tryRun(["ping", "-c", "1", "-W", "2", "10.89.5.2"])).code).toBe(0);
      site.write("clash.yard.yaml", lab("clash", "10.89.5.0/25", "10.89.5.9"));
      expect((await site.yard(second, ["up", "clash.yard.yaml"])).stderr).toContain("[network.overlap]");
      expect(await site.yard(second, ["down", "desk.yard.yaml"])).toMatchObject({ code: 0 });
      expect(await site.yard(second, ["bridge", "delete", bridge])).toMatchObject({ code: 0 });
    });

    test("may be used where the host is not on it", async () => {
      site.write("off.yard.yaml", lab("off", "10.89.1.0/24", "").replace(", gateway: ", ""));
      expect(await site.yard(second, ["up", "off.yard.yaml"])).toMatchObject({ code: 0 });
    });
  },
);
