/** `ec`'s command line from beginning to end. */
import { existsSync, writeFileSync } from "node:fs";
import { parseArguments } from "./arguments.ts";
import { attachable, cleanup, restart, start, stop } from "./commands.ts";
import { EcEngine } from "./containers.ts";
import { openEcPlace } from "./place.ts";
import { tellYard } from "./rows.ts";
import { readSettings, SETTINGS_FILE, settingsText } from "./settings.ts";
import { USAGE } from "./usage.ts";
import { createVswitch, deleteVswitch } from "./vswitch.ts";

export interface EcRun {
  /** The yard whose switch is meant where the environment and the host say nothing else. */
  readonly yard: string;
  readonly executable: readonly string[];
  readonly engine: string | undefined;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
  readonly warn: (line: string) => void;
}

/**
 * Runs one command.
 *
 * @returns the container to attach to, where that was asked for
 * @throws YardError of this door, the engine and the switch
 */
export async function runEc(argv: readonly string[], run: EcRun): Promise<{ readonly attach: string } | undefined> {
  const settings = readSettings();
  const { command, options } = parseArguments(argv, settings);
  const info = (line: string) => {
    if (!options.quiet) run.print(`ec: [INFO]  ${line}`);
  };
  switch (command.do) {
    case "help":
      run.print(USAGE);
      return undefined;
    case "install":
      if (!existsSync(SETTINGS_FILE)) writeFileSync(SETTINGS_FILE, settingsText(settings));
      run.print(`The settings are in ${SETTINGS_FILE}. Docker and Open vSwitch come as packages of the distribution:`);
      run.print("  apt-get install docker.io openvswitch-switch");
      return undefined;
    case "get-test-images":
      run.print("The repository that the test images came from is no more; any image does that has a shell:");
      run.print("  docker pull busybox && ec --slot=1 start busybox");
      return undefined;
  }
  await using place = await openEcPlace(run.yard, run);
  const engine = new EcEngine(run.yard, run.engine);
  const context = { place, engine, options, info };
  switch (command.do) {
    case "create-vswitch": {
      const wanted = { ...command, ipv6Prefix: settings.ipv6Prefix, usermode: options.usermode };
      const datapath = await createVswitch(place, wanted, run.warn);
      await tellYard(place, engine);
      info(`New vswitch '${command.name}' created with IP ${command.address} (datapath ${datapath})`);
      return undefined;
    }
    case "delete-vswitch":
      await deleteVswitch(place, command.name);
      return void (await tellYard(place, engine));
    case "start":
      return void (await start(context, command));
    case "restart":
      return void (await restart(context, command));
    case "stop":
      return void (await stop(context, command.slot));
    case "attach":
      return { attach: await attachable(context, command.slot) };
    case "cleanup":
      return void (await cleanup(context));
  }
}
