import { createLogger } from "@switchyard/base/log";
import { serveDockerDriver } from "@switchyard/doors/dockernet";
import type { Command } from "commander";
import { Option } from "commander";
import { examples } from "../help.ts";
import { hostYardName } from "../host-yard.ts";
import { selfCommand } from "../self.ts";
import { needRoot, print, type Session } from "../session.ts";

interface Options {
  readonly name: string;
  readonly engine?: string;
  readonly announce?: boolean;
}

/** `yard docker-driver` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Serve a network driver for Docker until it is stopped: docker network create -d switchyard then makes\n" +
        "networks of the yard, and containers on them are nodes of it. Without -y it is the host's own\n" +
        "Open vSwitch where one runs, else the yard main. Start it before the engine.",
    )
    .option("--name <driver>", "what Docker calls it", "switchyard")
    .option("--engine <address>", "the engine, in the form of DOCKER_HOST")
    .addOption(new Option("--announce", "say on standard output when it serves, as JSON").hideHelp())
    .action(async ({ name, engine, announce }: Options) => {
      const yard = await hostYardName(command, session.env);
      needRoot(["-y", yard, "docker-driver"], "the driver");
      await serveDockerDriver({
        name,
        yard,
        executable: selfCommand(),
        engine: engine ?? session.env.DOCKER_HOST,
        signal: session.signal,
        log: createLogger("docker-driver"),
        onServing: (socket) => {
          if (announce) print(session, JSON.stringify({ serving: socket }));
        },
      });
    });
  examples(
    command,
    ["sudo systemctl enable --now switchyard-docker", "as a service, ready before the engine"],
    ["sudo yard -y test docker-driver", "until Ctrl-C, for the yard test"],
    ["docker network create -d switchyard --subnet 10.5.0.0/24 office", "a network, once it serves"],
  );
}
