import { afterEach, describe, expect, test } from "bun:test";
import { run } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { changeMasquerades, listMasquerades } from "../src/mod.ts";

const PREFIX = `tlinux_masquerade_${process.pid}_`;
const nothing = { device: "tmasq0", subnets: [], group: undefined };

describe.skipIf(!requires("root", "nftables"))("the tables of source NAT", () => {
  afterEach(() => changeMasquerades(new Map(), [`${PREFIX}a`, `${PREFIX}b`]));

  test("are listed as they are by now, whoever has changed them", async () => {
    const a = { device: "tmasq0", subnets: ["10.91.0.0/24", "10.91.1.0/24"], group: 77 };
    expect(await listMasquerades(PREFIX)).toEqual(new Map());
    await changeMasquerades(new Map([[`${PREFIX}a`, a]]), []);
    expect(await listMasquerades(PREFIX)).toEqual(new Map([["a", a]]));
    expect(await listMasquerades(PREFIX)).toEqual(new Map([["a", a]]));

    await run(["nft", "add", "rule", "inet", `${PREFIX}a`, "postrouting", "counter"]);
    expect(await listMasquerades(PREFIX)).toEqual(new Map([["a", nothing]]));
    await run(["nft", "delete", "table", "inet", `${PREFIX}a`]);
    expect(await listMasquerades(PREFIX)).toEqual(new Map());
  });

  test("of other prefixes are none of the caller's", async () => {
    const one = { ...nothing, subnets: ["10.91.2.0/24"] };
    await changeMasquerades(new Map([[`${PREFIX}b`, one]]), []);
    expect(await listMasquerades(`${PREFIX}b`)).toEqual(new Map([["", one]]));
    expect(await listMasquerades(`${PREFIX}c`)).toEqual(new Map());
  });
});
