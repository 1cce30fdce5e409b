import { YardError } from "@switchyard/base";

/** The kernel's limit for an interface's name: IFNAMSIZ less the final NUL (linux/if.h). */
const NAME_MAX = 15;
const LITERAL = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS = 8;

/** The bridge of the lan `network`: `_b_<network>`, or `_b_<first three>~<hash>` where that would not fit. */
export function bridgeName(network: string): string {
  return fit("_b_", network);
}

/**
 * The port of nic `n` of the node with number `objId`: `_k_<obj_id>_<n>`.
 *
 * @throws YardError `switch.bad-number` unless both are integers from 0 and have ten digits at most together, so that
 * the spy's name, one character longer, fits too
 */
export function portName(objId: number, n: number): string {
  return numbered("_k_", objId, n);
}

/** The bridge of the wire that ends in that nic: `_w_<obj_id>_<n>`. @throws as {@link portName} */
export function wireName(objId: number, n: number): string {
  return numbered("_w_", objId, n);
}

/** The bridge on which that nic is alone with the near end of a pipe: `_i_<obj_id>_<n>`. @throws as {@link portName} */
export function hubName(objId: number, n: number): string {
  return numbered("_i_", objId, n);
}

/** The two ends of the pipe of that nic or wire: `_x_<obj_id>_<n>`, `_y_<obj_id>_<n>`. @throws as {@link portName} */
export function pipeNames(objId: number, n: number): { readonly near: string; readonly far: string } {
  return { near: numbered("_x_", objId, n), far: numbered("_y_", objId, n) };
}

/** The other end of the pipe that a port is an end of, by its name; undefined for any other name. */
export function pipeEnd(name: string): string | undefined {
  for (const [prefix, other] of [
    ["_x_", "_y_"],
    ["_y_", "_x_"],
  ] as const)
    if (parseNumbered(prefix, name) !== undefined) return `${other}${name.slice(prefix.length)}`;
  return undefined;
}

/** The node's number and the nic's, of a port's name; undefined for any other name. */
export function parsePortName(name: string): { readonly objId: number; readonly n: number } | undefined {
  return parseNumbered("_k_", name);
}

/** The inverse of {@link hubName}; undefined for any other name. */
export function parseHubName(name: string): { readonly objId: number; readonly n: number } | undefined {
  return parseNumbered("_i_", name);
}

function parseNumbered(prefix: string, name: string): { readonly objId: number; readonly n: number } | undefined {
  const match = name.startsWith(prefix) ? /^(0|[1-9]\d*)_(0|[1-9]\d*)$/.exec(name.slice(prefix.length)) : null;
  if (match === null || name.length >= NAME_MAX) return undefined;
  return { objId: Number(match[1]), n: Number(match[2]) };
}

/** The spy of a port: `s_k_<obj_id>_<n>` of ours, `s_<port>`, shortened where it would not fit, of any other. */
export function spyName(port: string): string {
  if (parsePortName(port) !== undefined) return `s${port}`;
  // Somebody's port `k_1_0` must not have the spy of our `_k_1_0`.
  return fit(port.startsWith("k_") ? "s~" : "s_", port);
}

function numbered(prefix: string, objId: number, n: number): string {
  const name = `${prefix}${objId}_${n}`;
  if (![objId, n].every((number) => Number.isSafeInteger(number) && number >= 0) || name.length >= NAME_MAX)
    throw new YardError(
      "switch.bad-number",
      `node ${objId}, nic ${n} make no interface name of ${NAME_MAX} characters`,
    );
  return name;
}

/**
 * `~` never stands in a name that is taken as it is, so a shortened name cannot meet another one's literal form. The
 * hash has 47 bits: among 10,000 long names two are alike with a chance of one in three million.
 */
function fit(prefix: string, name: string): string {
  if (LITERAL.test(name) && prefix.length + name.length <= NAME_MAX) return prefix + name;
  const kept = name.replace(/[^A-Za-z0-9]/g, "").slice(0, NAME_MAX - prefix.length - DIGITS - 1);
  let hash = new Bun.CryptoHasher("sha256").update(name).digest().readBigUInt64BE();
  let digits = "";
  for (let i = 0; i < DIGITS; i++, hash /= 62n) digits += BASE62[Number(hash % 62n)];
  return `${prefix}${kept}~${digits}`;
}
