import { expect, test } from "bun:test";
import { parseFdb } from "./appctl.ts";

test("a bridge's table of addresses is read, with those that do not age and its own device", () => {
  const text = [
    " port  VLAN  MAC                Age",
    "    1     0  02:00:00:00:00:01    3",
    "LOCAL    12  02:00:00:00:00:02  299",
    "65279  4095  aa:bb:cc:dd:ee:ff  static",
    "",
  ].join("\n");
  expect(parseFdb(text)).toEqual([
    { ofport: 1, vlan: 0, mac: "02:00:00:00:00:01", age: 3 },
    { ofport: "LOCAL", vlan: 12, mac: "02:00:00:00:00:02", age: 299 },
    { ofport: 65279, vlan: 4095, mac: "aa:bb:cc:dd:ee:ff", age: undefined },
  ]);
});
