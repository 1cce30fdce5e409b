import { expect, test } from "bun:test";
import { namedAfter } from "./remains.ts";

test("things of tests tell which process made them; a user's do not", () => {
  const pid = 18_375;
  for (const name of [
    "yard_tswitch18375_d-2",
    "tdoors_18375_0_c3",
    "switchyard:tswitch18375:end _g_gated",
    "tb18375h1",
  ])
    expect(namedAfter(name)).toBe(pid);
  for (const name of [
    "eth0",
    "yard_office",
    "lo",
    "tap0",
    "tun1000",
    "team0",
    "yard_test1",
    "cni-1234",
    "yb8a80b9c4b26",
    "switchyard:main:end _g_lan",
  ])
    expect(namedAfter(name)).toBeUndefined();
});
