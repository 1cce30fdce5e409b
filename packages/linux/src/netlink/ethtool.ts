/** What a device does in the kernel's stead (ethtool(8), <linux/ethtool.h>), by ioctl on a socket of its namespace. */
import { ptr } from "bun:ffi";
import { errno, libc, littleEndian } from "../ffi.ts";

const SIOCETHTOOL = 0x8946n;
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;

/**
 * Whether a device is given packets without their checksums, and with it the large segments that need them cut and
 * summed later: `tx-checksumming` of ethtool(8).
 *
 * @returns undefined where the device has no such setting, or is gone
 */
export function offloads(fd: number, name: string): boolean | undefined {
  const { result, value } = call(fd, name, ETHTOOL_GTXCSUM, 0);
  return result === 0 ? value !== 0 : undefined;
}

/** Sets it; segmentation goes off and comes back with the checksums. @returns the errno, 0 when done */
export function setOffloads(fd: number, name: string, on: boolean): number {
  return call(fd, name, ETHTOOL_STXCSUM, on ? 1 : 0).result;
}

/** `struct ifreq` that points to a `struct ethtool_value`. */
function call(fd: number, name: string, command: number, data: number): { result: number; value: number } {
  const value = new DataView(new ArrayBuffer(8));
  value.setUint32(0, command, littleEndian);
  value.setUint32(4, data, littleEndian);
  const request = Buffer.alloc(40);
  request.write(name, 0, 15, "utf8");
  const pointer = BigInt(ptr(value.buffer));
  if (littleEndian) request.writeBigUInt64LE(pointer, 16);
  else request.writeBigUInt64BE(pointer, 16);
  const result = libc().ioctl(fd, SIOCETHTOOL, request) < 0 ? errno() : 0;
  return { result, value: value.getUint32(4, littleEndian) };
}
