import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { parseArguments } from "./arguments.ts";
import { parseSettings } from "./settings.ts";

const settings = { vswitch: "ovs0", slot: "", ipv6Prefix: "2001:db8" };
const command = (...argv: readonly string[]) => parseArguments(argv, settings).command;
const code = (body: () => unknown) => {
  try {
    body();
  } catch (error) {
    return error instanceof YardError ? error.code : error;
  }
  return undefined;
};

describe("ec's command line", () => {
  test("takes ecDock's own examples", () => {
    const made = { do: "create-vswitch", name: "ovs0", address: "10.0.0.254/24", device: undefined } as const;
    expect(command("create-vswitch", "10.0.0.254/24")).toEqual(made);
    expect(command("create-vswitch", "lab", "10.0.0.254/24", "eth0")).toEqual({ ...made, name: "lab", device: "eth0" });
    expect(command("--slot=1", "start", "image", "a", "b")).toEqual({
      do: "start",
      slot: 1,
      image: "image",
      parameters: ["a", "b"],
    });
    expect(command("attach", "1")).toEqual({ do: "attach", slot: 1 });
    expect(command("--slot", "7", "stop")).toEqual({ do: "stop", slot: 7 });
    expect(command()).toEqual({ do: "help" });
  });

  test("what follows the image is the container's, options too", () => {
    const started = { do: "start", slot: 2, image: "sh", parameters: ["-c", "x", "--slot=9"] } as const;
    expect(command("start", "--slot=2", "sh", "-c", "x", "--slot=9")).toEqual(started);
    expect(command("restart", "2", "sh", "-c", "x", "--slot=9")).toEqual({ ...started, do: "restart" });
    expect(command("--slot=2", "restart", "sh", "-c", "x", "--slot=9")).toEqual({ ...started, do: "restart" });
  });

  test("takes the vswitch and the slot of the settings where none is given", () => {
    const own = { ...settings, vswitch: "lab", slot: "4" };
    const { command, options } = parseArguments(["start", "image"], own);
    expect([command, options.vswitch]).toEqual([{ do: "start", slot: 4, image: "image", parameters: [] }, "lab"]);
    const { options: more } = parseArguments(["--eth0=a", "--eth2=b", "start", "image"], own);
    expect([more.vswitch, [...more.more]]).toEqual(["a", [[2, "b"]]]);
  });

  test("refuses what it does not know", () => {
    expect(code(() => command("--slott=1", "start", "x"))).toBe("ec.wrong-usage");
    expect(code(() => command("-x"))).toBe("ec.wrong-usage");
    expect(code(() => command("start"))).toBe("ec.wrong-usage");
    expect(code(() => command("stop"))).toBe("ec.wrong-usage");
    expect(code(() => command("--slot"))).toBe("ec.wrong-usage");
    expect(code(() => command("--dual-nic", "--eth1=x", "start", "y"))).toBe("ec.wrong-usage");
    for (const slot of ["0", "128", "-1", "x", "1.5"])
      expect(code(() => command(`--slot=${slot}`, "start", "x"))).toBe("ec.bad-slot");
  });
});

describe("/etc/default/ecDock", () => {
  test("is read as a shell would, and never run", () => {
    const text = "# ours\nDEFAULT_VSWITCH=\"lab\"\nexport DEFAULT_SLOT='3' # three\n\nDEFAULT_IPV6_PREFIX=\nOTHER=x\n";
    expect(parseSettings(text, "f")).toEqual({ vswitch: "lab", slot: "3", ipv6Prefix: "" });
    expect(parseSettings("", "f")).toEqual(settings);
    for (const bad of ["DEFAULT_VSWITCH=$(reboot)", "reboot", 'A="`id`"', "A=b; reboot", "A=b reboot"])
      expect(code(() => parseSettings(bad, "f"))).toBe("ec.bad-settings");
  });
});
