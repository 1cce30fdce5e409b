/** Bridges of the kernel's own that a yard makes on its host, by command: what is said of one, and what is refused. */
import {
  addressOf,
  type Cidr,
  contains,
  family,
  type Ip,
  type Mac,
  networkOf,
  parseCidr,
  parseIp,
  parseMac,
  toNumber,
  YardError,
  YardErrors,
} from "@switchyard/base";
import { NIC_NAME } from "./fields.ts";
import { isHost } from "./networks.ts";

/** What a bridge gives its segment. */
export type BridgeService =
  /** Nothing: the host is not on it. */
  | { readonly mode: "none" }
  /** The host's address, with the network's prefix length; names are resolved there. */
  | { readonly mode: "static"; readonly cidr: Cidr }
  /** As `static`, and addresses from `start` to `end` are leased. */
  | { readonly mode: "dnsmasq"; readonly cidr: Cidr; readonly start: Ip; readonly end: Ip };

/** A bridge of the kernel's own, in the host's namespace. */
export interface BridgeSpec {
  /** The link's own name. */
  readonly name: string;
  /** Undefined: derived from its name. */
  readonly mac: Mac | undefined;
  readonly service: BridgeService;
  /** What leaves the host from its network has the host's address. */
  readonly nat: boolean;
}

/** A bridge as it is written: empty texts mean what is not there. */
export interface BridgeFile {
  readonly name: string;
  readonly hwaddr?: string | undefined;
  readonly mode?: string | undefined;
  readonly nat?: boolean | undefined;
  /** The host's address, `10.5.0.1/24`. */
  readonly cidr?: string | undefined;
  readonly start?: string | undefined;
  readonly end?: string | undefined;
}

/**
 * Reads what is written of a bridge.
 *
 * @throws YardError, or YardErrors with all that is wrong: `bridge.bad-name`, `bridge.bad-mode`, `bridge.bad-cidr`,
 * `bridge.range-outside`, `bridge.other-mode`, `bridge.nat-without-address`, `address.…`
 */
export function readBridge(written: BridgeFile): BridgeSpec {
  const errors: YardError[] = [];
  const attempt = <R>(part: () => R): R | undefined => {
    try {
      return part();
    } catch (thrown) {
      if (!(thrown instanceof YardError)) throw thrown;
      errors.push(thrown);
      return undefined;
    }
  };
  const name = attempt(() => parseBridgeName(written.name)) ?? "";
  const mac = attempt(() => (written.hwaddr ? parseMac(written.hwaddr) : undefined));
  const service = readService(written, attempt);
  const nat = written.nat ?? false;
  if (nat && service?.mode === "none")
    errors.push(
      new YardError("bridge.nat-without-address", "a bridge without an address of the host cannot hide its network", {
        hint: "give it one: --mode static --cidr 10.5.0.1/24",
      }),
    );
  const [first, ...others] = errors;
  if (first !== undefined) throw others.length === 0 ? first : new YardErrors([first, ...others]);
  return { name, mac, service: service ?? { mode: "none" }, nat };
}

/** @throws YardError `bridge.bad-name` */
export function parseBridgeName(name: string): string {
  if (NIC_NAME.test(name) && !["default", "all", "lo"].includes(name)) return name;
  throw new YardError("bridge.bad-name", `"${name}" cannot be the name of a bridge`, {
    hint: "up to 15 letters, digits, `-`, `_` and `.`, the first a letter or digit; not default, all or lo",
  });
}

type Attempt = <R>(part: () => R) => R | undefined;

const MODES = ["none", "static", "dnsmasq"] as const;

function readService(written: BridgeFile, attempt: Attempt): BridgeService | undefined {
  const mode = attempt(() => {
    const found = MODES.find((one) => one === (written.mode || "none"));
    if (found !== undefined) return found;
    throw new YardError("bridge.bad-mode", `"${written.mode}" is no mode of a bridge`, {
      hint: "none, static or dnsmasq",
    });
  });
  if (mode === undefined) return undefined;
  const used: readonly string[] = mode === "none" ? [] : mode === "static" ? ["cidr"] : ["cidr", "start", "end"];
  for (const key of ["cidr", "start", "end"] as const)
    attempt(() => {
      if (!written[key] || used.includes(key)) return;
      throw new YardError("bridge.other-mode", `${key} means nothing to a bridge of mode ${mode}`, {
        hint: `take it out, or choose mode ${key === "cidr" ? "static or dnsmasq" : "dnsmasq"}`,
      });
    });
  if (mode === "none") return { mode };
  const cidr = attempt(() => hostAddress(written.cidr ?? "", mode));
  if (mode === "static") return cidr && { mode, cidr };
  const [start, end] = [attempt(() => readEnd("start", written, cidr)), attempt(() => readEnd("end", written, cidr))];
  if (cidr === undefined || start === undefined || end === undefined) return undefined;
  attempt(() => {
    if (toNumber(start) <= toNumber(end)) return;
    throw new YardError("bridge.range-outside", `the range begins at ${start}, after its end ${end}`, {
      hint: "exchange start and end",
    });
  });
  return { mode, cidr, start, end };
}

/** @throws YardError `bridge.bad-cidr`, `address.bad-cidr` */
function hostAddress(text: string, mode: string): Cidr {
  const wrong = (problem: string) =>
    new YardError("bridge.bad-cidr", problem, {
      hint: "the host's address with the prefix length, such as 10.5.0.1/24",
    });
  if (text === "") throw wrong(`a bridge of mode ${mode} needs a cidr`);
  if (!text.includes("/")) throw wrong(`${text} has no prefix length`);
  const cidr = parseCidr(text);
  if (family(cidr) !== 4) throw wrong(`${text} is not of IPv4`);
  if (!isHost(networkOf(cidr), addressOf(cidr))) throw wrong(`${text} is a network's own or the broadcast address`);
  return cidr;
}

function readEnd(key: "start" | "end", written: BridgeFile, cidr: Cidr | undefined): Ip {
  const text = written[key] ?? "";
  if (text === "") {
    const hint = "the first and the last address that are leased: --start 10.5.0.2 --end 10.5.0.99";
    throw new YardError("bridge.range-outside", `a bridge of mode dnsmasq needs a ${key}`, { hint });
  }
  const ip = parseIp(text);
  if (cidr === undefined || (contains(cidr, ip) && isHost(networkOf(cidr), ip))) return ip;
  throw new YardError("bridge.range-outside", `the range's ${key} ${ip} is no host's address of ${networkOf(cidr)}`);
}
