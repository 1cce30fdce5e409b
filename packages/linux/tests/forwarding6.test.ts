import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { requires } from "@switchyard/testing";

setDefaultTimeout(60_000);

const HOST = `tforward${process.pid}`;
const script = new URL("change-forwarding6.ts", import.meta.url).pathname;

describe.skipIf(!requires("root", "iproute2", "nftables"))("forwarding of IPv6 that yards ask for", () => {
  const inside = (...argv: readonly string[]) => run(["ip", "netns", "exec", HOST, ...argv]);
  const change = (...words: readonly string[]) => inside(process.execPath, script, ...words);
  const sysctl = async (name: string) => (await inside("sysctl", "-n", `net.ipv6.conf.${name}`)).trim();
  const state = async () => [
    await sysctl("all.forwarding"),
    await sysctl("eth0.accept_ra"),
    await sysctl("eth1.accept_ra"),
  ];

  // A namespace of its own has all of it apart from this host's.
  beforeEach(async () => {
    await run(["ip", "netns", "add", HOST]);
    await inside("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
    await inside("sysctl", "-q", "-w", "net.ipv6.conf.eth1.accept_ra=0");
  });
  afterEach(async () => {
    await run(["ip", "netns", "delete", HOST]);
  });

  test("is on until the last one lets go, and links take advertisements as they did", async () => {
    expect(await state()).toEqual(["0", "1", "0"]);
    await Promise.all([change("claim", "nat1"), change("claim", "nat2")]);
    expect(await state()).toEqual(["1", "2", "0"]);
    expect(await change("ask", "nat1")).toBe("true\n");
    expect(await change("ask", "eth0")).toBe("false\n");
    await change("release", "nat1", "stranger");
    expect(await state()).toEqual(["1", "2", "0"]);
    await change("release", "nat2");
    expect(await state()).toEqual(["0", "1", "0"]);
    expect(await inside("nft", "list", "tables")).toBe("");
  });

  test("stays as it is where the host forwards by itself", async () => {
    await inside("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1");
    await change("claim", "nat1");
    expect(await inside("nft", "list", "tables")).toBe("");
    expect(await change("ask", "nat1")).toBe("true\n");
    await change("release", "nat1");
    expect(await state()).toEqual(["1", "1", "0"]);
  });

  test("comes again where somebody has switched it off, and forgets links that have gone", async () => {
    await change("claim", "nat1");
    await inside("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=0");
    expect(await change("ask", "nat1")).toBe("false\n");
    await change("claim", "nat1");
    expect(await state()).toEqual(["1", "2", "0"]);
    await inside("ip", "link", "delete", "eth0");
    await change("release", "nat1");
    expect(await sysctl("all.forwarding")).toBe("0");
  });
});
