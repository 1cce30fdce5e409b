/** An engine that finds no driver, as it may when the host starts. */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { dockerReady, SERVER, testSite } from "./docker-site.ts";

const LIMIT = 90_000;

describe.skipIf(!dockerReady)("an engine without the driver", () => {
  const site = testSite();

  test(
    "cannot start a container with a restart policy; the driver does so once it is there",
    async () => {
      await site().docker("network", "create", "-d", site().driver, "--subnet", "10.77.10.0/24", "boot");
      const made = ["create", "--restart", "always", "--network", "boot", "--name", "web", "-h", "web"];
      await site().docker(...made, ...SERVER);
      await site().docker("create", "--network", "boot", "--name", "other", ...SERVER);
      await site().stopDriver();
      // The engine tries for 15 s.
      expect(await site().docker("start", "web").catch(String)).toContain("failed");
      const argv = ["-H", site().engine.address, "events", "--filter", "container=web", "--filter", "event=start"];
      const events = spawn("docker", argv, { stdio: ["ignore", "pipe", "ignore"] });
      const started = once(createInterface({ input: events.stdout }), "line");
      await site().startDriver();
      await started;
      events.kill();
      expect(await site().fetchIn("boot", "http://web/")).toBe("web");
      expect(await site().docker("inspect", "-f", "{{.State.Running}}", "other")).toBe("false");
      await site().docker("rm", "-f", "web", "other");
      await site().docker("network", "rm", "boot");
    },
    LIMIT,
  );
});
