import { describe, expect, test } from "bun:test";
import type { ContainerConfig } from "../types.ts";
import { PodmanCommand } from "./command.ts";
import { podmanCreate } from "./config.ts";
import { parsePodmanEvent } from "./events.ts";
import { parseContainers } from "./ps.ts";

const config: ContainerConfig = {
  name: "y_a",
  image: "busybox",
  rootfs: undefined,
  pull: "missing",
  command: ["sleep", "1"],
  entrypoint: ["/init", "-x"],
  env: { SECRET: "hush", LINES2: "a\nb" },
  user: undefined,
  hostname: "a",
  privileged: false,
  capAdd: [],
  devices: [],
  binds: [],
  cpus: 0.5,
  memory: 1024,
  sysctls: {},
  namespace: "y_a",
  labels: { owner: "y" },
};

describe("podman", () => {
  test("is given no value of an environment variable among its arguments", () => {
    const { args, envFile, environment } = podmanCreate(config, "/run/x.env");
    expect(args.join(" ")).not.toContain("hush");
    expect(envFile).toBe("SECRET=hush\nLINES2\n");
    expect(environment).toEqual({ LINES2: "a\nb" });
  });

  test("is given the namespace by path, and image and command last", () => {
    const { args } = podmanCreate(config, "/run/x.env");
    expect(args[args.indexOf("--network") + 1]).toBe("ns:/run/netns/y_a");
    expect(args[args.indexOf("--entrypoint") + 1]).toBe('["/init","-x"]');
    expect(args.slice(-3)).toEqual(["busybox", "sleep", "1"]);
    expect(podmanCreate({ ...config, image: undefined, rootfs: "/r" }, "/x").args.slice(-4)).toEqual([
      "--rootfs",
      "/r:O",
      "sleep",
      "1",
    ]);
  });

  test("is given another's namespace, or the host's, for a container that has no network of its own", () => {
    const network = (namespace: string | undefined) => {
      const { args } = podmanCreate({ ...config, hostNetwork: { namespace } }, "/run/x.env");
      return args[args.indexOf("--network") + 1];
    };
    expect(network("y")).toBe("ns:/run/netns/y");
    expect(network(undefined)).toBe("host");
  });

  test("is asked at the caller's address", () => {
    expect(new PodmanCommand({ address: "unix:///run/p.sock" }).argv("ps")).toEqual([
      "podman",
      "--remote",
      "--url",
      "unix:///run/p.sock",
      "ps",
    ]);
    expect(() => new PodmanCommand({ address: "-x" })).toThrow(
      expect.objectContaining({ code: "runtime.bad-address" }),
    );
  });

  test("tells states and events in its own words", () => {
    const item = { Id: "1", Names: ["y_a"], State: "exited", Pid: 0, ExitCode: 3, Labels: { owner: "y", odd: 1 } };
    expect(parseContainers(JSON.stringify([item, { Id: 2 }, null]))).toEqual([
      { name: "y_a", id: "1", status: "exited", pid: undefined, exitCode: 3, labels: { owner: "y" } },
    ]);
    expect(parseContainers("")).toEqual([]);
    const line = '{"Name":"y_a","Status":"died","Time":"t","Type":"container","ContainerExitCode":4}';
    expect(parsePodmanEvent(line)).toEqual({ event: { name: "y_a", what: "exited", exitCode: 4 }, time: "t" });
    expect(parsePodmanEvent('{"Name":"y_a","Status":"init","Time":"t"}')).toBeUndefined();
  });
});
