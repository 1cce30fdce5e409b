import { parseIp, parseMac, YardError } from "@switchyard/base";
import { type BridgeFile, readBridge } from "@switchyard/yard/model";
import {
  addBridgeHost,
  addBridgeNic,
  type Commanded,
  createBridge,
  deleteBridge,
  removeBridgeNic,
} from "@switchyard/yard/store";
import type { Command } from "commander";
import { commit } from "../commanded.ts";
import { yardRuns } from "../connect.ts";
import { type LiveYard, openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { subcommand } from "../program.ts";
import { renderBridges } from "../render/bridges.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";
import { report } from "./add.ts";

interface CreateOptions extends CommonOptions, Omit<BridgeFile, "name"> {}

interface ListOptions extends CommonOptions {
  readonly quiet?: boolean;
}

/** `yard bridge create|delete|list|nic-add|nic-remove|host-add …` */
export function define(command: Command, session: Session): void {
  command.description(
    "Make bridges of the kernel's own on the host: for NICs of the host, and for nodes (`type: bridge`).\n" +
      "The host can be on one, resolve names there, lease addresses and hide it behind its own address.\n" +
      "Nothing is routed from one of them to another.",
  );
  command.argument("[what]", "create, delete, list, nic-add, nic-remove or host-add").action((what?: string) => {
    throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `a bridge cannot ${what}`, {
      hint: "yard bridge create, delete, list, nic-add, nic-remove or host-add; `yard help bridge` shows examples",
    });
  });
  defineCreate(subcommand(command, "create", "make a bridge", session), session);
  defineDelete(subcommand(command, "delete", "remove a bridge, with all that is its own", session), session);
  defineList(subcommand(command, "list", "list the bridges of the yard", session), session);
  defineNics(command, session);
  defineHost(subcommand(command, "host-add", "keep an address for a MAC", session), session);
  examples(
    command,
    ["yard bridge create office --mode dnsmasq --cidr 10.5.0.1/24 --start 10.5.0.10 --end 10.5.0.99 --nat", ""],
    ["yard add netns pc --nic bridge:office,dhcp=true", "a node on it, with a leased address"],
    ["yard bridge nic-add office eth1", "and whoever is behind a NIC of the host"],
  );
}

function defineCreate(command: Command, session: Session): void {
  command
    .argument("<name>", "its name, at most 15 characters")
    .option("--mode <mode>", "none, static (the host is on it) or dnsmasq (and leases addresses)", "none")
    .option("--cidr <cidr>", "the host's address on it, such as 10.5.0.1/24")
    .option("--start <ip>", "the first address that is leased")
    .option("--end <ip>", "the last address that is leased")
    .option("--nat", "hide its network behind the host's address")
    .option("--hwaddr <mac>", "its MAC address (default: derived from its name)")
    .option("--json", JSON_HELP)
    .action(async (name: string, { mode, cidr, start, end, nat, hwaddr, ...options }: CreateOptions) => {
      const spec = readBridge({ name, mode, cidr, start, end, nat, hwaddr });
      await change(session, command, options, name, "created", (live, yard) =>
        createBridge(live.store, spec, { yard, host: live.host }),
      );
    });
  examples(
    command,
    ["yard bridge create plain", "a switch for NICs and nodes, which the host is not on"],
    ["yard bridge create lab --mode static --cidr 10.6.0.1/24 --nat", "with the host as the way out"],
  );
}

function defineDelete(command: Command, session: Session): void {
  command
    .argument("<bridge>", "its name")
    .option("--json", JSON_HELP)
    .action(async (name: string, options: CommonOptions) => {
      await change(session, command, options, name, "deleted", (live) => deleteBridge(live.store, name));
    });
  examples(command, ["yard bridge delete office", "its NICs are the host's again, as they were"]);
}

function defineList(command: Command, session: Session): void {
  command
    .option("-q, --quiet", "print names only, one a line")
    .option("--json", JSON_HELP)
    .action(async (options: ListOptions) => {
      const yard = yardName(command, session.env);
      const bridges = yardRuns(session, yard) ? (await readYard(session, yard)).bridges : [];
      if (options.json) printJson(session, bridges);
      else if (options.quiet) print(session, ...bridges.map(({ name }) => name));
      else print(session, ...renderBridges(bridges, session.style));
    });
  examples(command, ["yard bridge list --json | jq '.[].nics'", "the NICs of each"]);
}

function defineNics(parent: Command, session: Session): void {
  const add = subcommand(parent, "nic-add", "put a NIC of the host into a bridge", session);
  add
    .argument("<bridge>", "its name")
    .argument("<device>", "the NIC, as `ip link` names it")
    .option("--json", JSON_HELP)
    .action(async (bridge: string, nic: string, options: CommonOptions) => {
      await change(session, add, options, bridge, `has ${nic}`, (live) => addBridgeNic(live.store, bridge, nic));
    });
  examples(add, ["yard bridge nic-add office eth1", "refused where the host uses eth1 itself"]);
  const remove = subcommand(parent, "nic-remove", "take a NIC of the host out of its bridge", session);
  remove
    .argument("<bridge>", "its name")
    .argument("<device>", "the NIC")
    .option("--json", JSON_HELP)
    .action(async (bridge: string, nic: string, options: CommonOptions) => {
      const write = (live: LiveYard) => removeBridgeNic(live.store, bridge, nic);
      await change(session, remove, options, bridge, `no longer has ${nic}`, write);
    });
  examples(remove, ["yard bridge nic-remove office eth1", ""]);
}

function defineHost(command: Command, session: Session): void {
  command
    .argument("<bridge>", "its name, one of mode dnsmasq")
    .argument("<ip>", "address that only this MAC is leased")
    .argument("<mac>", "MAC address that is leased only this")
    .option("--json", JSON_HELP)
    .action(async (bridge: string, address: string, hwaddr: string, options: CommonOptions) => {
      const [ip, mac] = [parseIp(address), parseMac(hwaddr)];
      await change(session, command, options, bridge, `keeps ${ip} for ${mac}`, (live) =>
        addBridgeHost(live.store, bridge, ip, mac),
      );
    });
  examples(command, ["yard bridge host-add office 10.5.0.77 02:00:00:00:00:01", ""]);
}

async function change(
  session: Session,
  command: Command,
  options: CommonOptions,
  bridge: string,
  verb: string,
  write: (live: LiveYard, yard: string) => Promise<Commanded>,
): Promise<void> {
  const began = performance.now();
  const yard = yardName(command, session.env);
  await using live = await openLiveYard(session, yard);
  const scope = { bridges: [bridge] };
  const changed = await commit(session, live, `bridge ${bridge}`, () => write(live, yard), scope);
  report(session, options, `bridge ${bridge}`, changed, began, verb);
}
