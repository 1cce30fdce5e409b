import { expect, test } from "bun:test";
import { nic, node, now, office } from "../view/office.fixture.ts";
import { renderNode } from "./inspect.ts";
import { plain } from "./style.ts";

test("a nat tells what it has leased, to nodes of the yard and to others, until when", () => {
  const lease = (address: string, to: string | null, name: string | null, minutes: number) => ({
    ...{ address, node: to, mac: to === null ? null : "02:00:00:00:00:07", name },
    expires: new Date(now + minutes * 60_000).toISOString(),
  });
  const nat = node("out", [nic("eth0", "lan", [])], {
    kind: "nat",
    subnets: ["10.30.0.0/24", "fd00:30::/64"],
    ports: ["8080->web:80/tcp"],
    leased: [lease("10.30.0.23", "web", "guest", 42), lease("fd00:30::1234", null, "phone", -1)],
  });
  const text = renderNode(office, nat, now, plain).join("\n");
  expect(text).toContain("subnets    10.30.0.0/24, fd00:30::/64");
  expect(text).toMatch(/^LEASED +TO +MAC +EXPIRES$/m);
  expect(text).toMatch(/^10\.30\.0\.23 +web +02:00:00:00:00:07 +in 42m$/m);
  expect(text).toMatch(/^fd00:30::1234 +phone +due$/m);
  expect(renderNode(office, { ...nat, leased: [] }, now, plain)).toContain("nothing leased");
});
