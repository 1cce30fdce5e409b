/** The keys of WireGuard (Curve25519, RFC 7748) of a yard's tunnels. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Ip, parseIp, YardError } from "@switchyard/base";

/** What is left of Ethernet's 1500 bytes by WireGuard, over IPv6 too. */
export const TUNNEL_MTU = 1420;

/** Where a yard keeps its own. */
export function tunnelKeyFile(state: string): string {
  return `${state}/wireguard.key`;
}

/** A private key in base64, as wg(8) writes them: that of the file, which is made, for root alone, where it is not there. */
export function ensureTunnelKey(file: string): string {
  if (!existsSync(file)) {
    const { d } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(`${file}.new`, `${Buffer.from(d ?? "", "base64url").toString("base64")}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return readFileSync(file, "utf8").trim();
}

/** How a private key begins in PKCS #8 (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");

/** @throws YardError `tunnel.bad-key` */
export function publicKeyOf(privateKey: string): string {
  const raw = Buffer.from(privateKey, "base64");
  if (raw.length !== 32) throw new YardError("tunnel.bad-key", "the yard's key for WireGuard is damaged");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return Buffer.from(x ?? "", "base64url").toString("base64");
}

/** The address within the tunnel of whose public key that is: one that both ends know without telling (RFC 4193). */
export function innerAddress(publicKey: string): Ip {
  const hash = createHash("sha256").update(Buffer.from(publicKey, "base64")).digest("hex");
  return parseIp(`fd${hash.slice(0, 30)}`.match(/..../g)?.join(":") ?? "");
}
