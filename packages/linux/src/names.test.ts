import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isAtLeast } from "./kernel.ts";
import { checkLinkName, checkNamespaceName, sysctlPath } from "./names.ts";

describe("names", () => {
  test("that the house gives to links and namespaces pass", () => {
    for (const name of ["_k_12_0", "s_k_12_0", "_b_lan01", "eth0", "vlbr10p", "eth0.100", "wg-a", "e@b#c"])
      expect(checkLinkName(name)).toBe(name);
    for (const name of ["yard_main", "yard_main_web-1", "a.b", "cni-1234", "0"])
      expect(checkNamespaceName(name)).toBe(name);
  });

  test("of namespaces never lead out of their folder nor read as an option", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."./-a_0 \n\0~:;$`'\"*") }), (text) => {
        let name: string;
        try {
          name = checkNamespaceName(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "namespace.bad-name" });
          return;
        }
        expect(new URL(`file:///run/netns/${name}`).pathname).toBe(`/run/netns/${name}`);
        expect(name).not.toMatch(/^[-.]|[/\s\0]/);
      }),
    );
  });

  test("of links are refused as the kernel refuses them, and where a tool would misread them", () => {
    for (const name of [
      "",
      ".",
      "..",
      "a b",
      "a/b",
      "a:b",
      "%d",
      "sixteen-letters-",
      "-a",
      "é",
      'a"b',
      "a'b",
      "a\\b",
      "a\0",
    ])
      expect(() => checkLinkName(name)).toThrow(expect.objectContaining({ code: "link.bad-name" }));
  });

  test("of sysctls stay below /proc/sys/net whatever is asked", () => {
    expect(sysctlPath("net.ipv4.conf.eth0/1.forwarding")).toBe("net/ipv4/conf/eth0.1/forwarding");
    expect(sysctlPath("net/ipv4/conf/eth0.1/forwarding")).toBe("net/ipv4/conf/eth0.1/forwarding");
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."./net4_- \n\0k"), maxLength: 30 }), (text) => {
        let path: string;
        try {
          path = sysctlPath(`net${text}`);
        } catch (error) {
          expect(error).toMatchObject({ code: "sysctl.bad-name" });
          return;
        }
        expect(new URL(`file:///proc/sys/${path}`).pathname).toStartWith("/proc/sys/net/");
      }),
    );
  });
});

test("a kernel's release is compared by its numbers", () => {
  expect(isAtLeast("6.1.0-18-amd64", 5, 18)).toBe(true);
  expect(isAtLeast("5.18.0", 5, 18)).toBe(true);
  expect(isAtLeast("5.4.0-100-generic", 5, 18)).toBe(false);
  expect(isAtLeast("unknown", 5, 18)).toBe(false);
});
