/** A network configuration: what all dialects have in common, and the way to the one that it is in. */
import { YardError } from "@switchyard/base";
import { parseArgs, wishesOf } from "./arguments.ts";
import type { Attachment } from "./attachment.ts";
import { readOvs } from "./dialect-ovs.ts";
import { readSwitchyard } from "./dialect-switchyard.ts";
import { readUserspace } from "./dialect-userspace.ts";
import { Fields, isRecord, type JsonRecord, type Problems } from "./fields.ts";
import { type Mirroring, readMirroring } from "./mirroring.ts";
import { IDENTIFIER, type Request } from "./request.ts";
import { parseResult, type Result } from "./result.ts";
import { isVersion, OLDEST, VERSIONS, type Version } from "./versions.ts";

/** The names that this plugin is called by: each is the `type` of a dialect, or of ovs-cni's plugins for mirrors. */
export const PLUGIN_TYPES = ["switchyard", "ovs", "userspace", "ovs-mirror-producer", "ovs-mirror-consumer"] as const;

export type PluginType = (typeof PLUGIN_TYPES)[number];

/** One of the attachments that a runtime still has (GC). */
export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

export interface NetworkConfig {
  readonly version: Version;
  /** The network's. */
  readonly name: string;
  /** As it came: what plugins that are delegated to get. */
  readonly text: string;
  /** The plugin that gives addresses. */
  readonly ipam: string | undefined;
  readonly dns: JsonRecord | undefined;
  readonly previous: Result | undefined;
  /** Undefined: not said. */
  readonly valid: readonly ValidAttachment[] | undefined;
  readonly attachment: Attachment;
  /** What a nic that is there already has to do with mirrors; undefined: it is a nic that is meant. */
  readonly mirroring: Mirroring | undefined;
}

/** What is read before all else, since an error is told in it. Anything that is not a version is the oldest. */
export function versionOf(input: string): Version {
  try {
    const value: unknown = JSON.parse(input);
    return isRecord(value) && isVersion(value.cniVersion) ? value.cniVersion : OLDEST;
  } catch {
    return OLDEST;
  }
}

/**
 * Reads a network configuration strictly.
 *
 * @param type the name that the plugin was called by, which says the dialect where the configuration does not
 * @param options.note gets a line for each field that the dialect's plugin ignores
 * @param options.forgiving what is wrong is noted only: an attachment that was refused must still be taken away, or its
 * container never ends
 * @throws YardError `cni.not-json`, `cni.incompatible-version`, `cni.unsupported`, `cni.bad-config` with all problems
 */
export function readConfig(
  input: string,
  type: PluginType,
  request: Pick<Request, "args">,
  options: { readonly note: (line: string) => void; readonly forgiving: boolean },
): NetworkConfig {
  const { note, forgiving } = options;
  const value = parseJson(input);
  const problems: Problems = { wrong: [], unsupported: [] };
  const config = new Fields(value, "", problems);
  const version = config.any("cniVersion") ?? OLDEST;
  if (!isVersion(version))
    throw new YardError("cni.incompatible-version", `cniVersion ${JSON.stringify(version)} is not known`, {
      hint: `known are ${VERSIONS.join(", ")}`,
    });
  const name = config.string("name");
  if (name === undefined) config.wrong("name", "is missing: that of the network");
  else if (!IDENTIFIER.test(name))
    config.wrong("name", `"${name}" is not letters, digits and _ . -, beginning with a letter or digit`);
  const dialect = config.string("type") ?? type;
  const ipam = readIpam(config);
  const dns = config.any("dns");
  if (dns !== undefined && !isRecord(dns)) config.wrong("dns", "should be an object");
  const previous = config.any("prevResult");
  const result = previous === undefined ? undefined : parseResult(previous, "prevResult", problems);
  const wishes = wishesOf(config, parseArgs(request.args, forgiving));
  const meant = PLUGIN_TYPES.find((one) => one === dialect) ?? type;
  const mirroring = readMirroring(meant, config);
  const attachment = readDialect(meant, config, wishes, note);
  const valid = readValid(config);
  if (forgiving) [...problems.wrong, ...problems.unsupported].forEach(note);
  else refuse(problems);
  return {
    version,
    name: name ?? "",
    text: input,
    ipam,
    dns: isRecord(dns) ? dns : undefined,
    previous: result,
    valid,
    attachment,
    mirroring,
  };
}

function refuse({ wrong, unsupported }: Problems): void {
  if (wrong.length > 0) throw new YardError("cni.bad-config", [...wrong, ...unsupported].join("; "));
  if (unsupported.length > 0) throw new YardError("cni.unsupported", unsupported.join("; "));
}

/** The IPAM plugin's name, if there is one. */
function readIpam(config: Fields): string | undefined {
  const ipam = config.object("ipam");
  const type = ipam?.string("type");
  if (type === undefined) return undefined;
  if (!/^[A-Za-z0-9_.-]+$/.test(type) || type.startsWith(".")) {
    config.wrong("ipam.type", `"${type}" cannot be the name of a plugin`);
    return undefined;
  }
  return type;
}

function readDialect(
  type: PluginType,
  config: Fields,
  wishes: ReturnType<typeof wishesOf>,
  note: (line: string) => void,
): Attachment {
  switch (type) {
    case "switchyard":
      return readSwitchyard(config, wishes);
    case "ovs":
    case "ovs-mirror-producer":
    case "ovs-mirror-consumer":
      return readOvs(config, wishes, note);
    case "userspace":
      return readUserspace(config, wishes, note);
  }
}

/** `cni.dev/valid-attachments` (CNI SPEC 1.1.0, section 4, GC); libcni also writes its older name. */
function readValid(config: Fields): ValidAttachment[] | undefined {
  const name = ["cni.dev/valid-attachments", "cni.dev/attachments"].find((one) => config.has(one));
  if (name === undefined) return undefined;
  return config.objects(name).flatMap((item) => {
    const containerId = item.string("containerID");
    const ifname = item.string("ifname");
    if (containerId !== undefined && ifname !== undefined) return [{ containerId, ifname }];
    item.wrong("containerID", "and ifname are both needed");
    return [];
  });
}

function parseJson(input: string): JsonRecord {
  try {
    const value: unknown = JSON.parse(input);
    if (isRecord(value)) return value;
  } catch (cause) {
    throw new YardError("cni.not-json", "the network configuration on standard input is not JSON", { cause });
  }
  throw new YardError("cni.not-json", "the network configuration on standard input is not a JSON object");
}
