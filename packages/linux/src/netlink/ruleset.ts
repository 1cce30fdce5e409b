/** nftables as far as it is asked by netlink: the rest is nft(8)'s. */
import { YardError } from "@switchyard/base";
import { AF_NETLINK, checked, libc, SOCK_CLOEXEC, SOCK_RAW } from "../ffi.ts";
import { NetlinkSocket } from "./socket.ts";

const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, of <linux/netfilter/nf_tables.h>. */
const GET_GENERATION = (10 << 8) | 16;
const NFTA_GEN_ID = 1;

/**
 * The number of the present rules of our own namespace: the kernel counts it up with each change of any table. Undefined
 * where the kernel has no nftables, or cannot be asked.
 */
export function rulesetGeneration(): number | undefined {
  try {
    const { socket } = libc();
    using netlink = NetlinkSocket.adopt(
      checked(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), "socket", "NETLINK_NETFILTER"),
    );
    return netlink.get(
      GET_GENERATION,
      // struct nfgenmsg: of every family.
      (writer) => writer.u32(0),
      ({ reader, start, end }) => {
        let generation: number | undefined;
        reader.attributes(start + 4, end, (type, from, to) => {
          if (type === NFTA_GEN_ID) generation = Buffer.from(reader.slice(from, to)).readUInt32BE();
        });
        return generation;
      },
    );
  } catch (error) {
    if (error instanceof YardError) return undefined;
    throw error;
  }
}
