"""Sends and receives raw Ethernet frames: one process holds both ends of a wire, each in its own namespace.

Reads one hexadecimal frame a line, sends it at the first end, waits for it at the second, and prints what came out
there in hexadecimal, or `lost` after a quarter of a second.

    frames.py <namespace> <interface> <namespace> <interface>
"""
import ctypes, os, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4


def packet_socket(namespace, interface):
    fd = os.open("/run/netns/" + namespace, os.O_RDONLY)
    if libc.setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.bind((interface, ETH_P_ALL))
    return s


def receive(s, until):
    while (left := until - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            data, control, _, address = s.recvmsg(65536, 256)
        except TimeoutError:
            return None
        if address[2] == PACKET_OUTGOING:
            continue
        # The kernel takes the outermost tag off a frame and hands it over beside it: struct tpacket_auxdata.
        for level, kind, value in control:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value)
                if status & 0x10:
                    data = data[:12] + struct.pack(">HH", tpid if status & 0x40 else 0x8100, tci) + data[12:]
        return data
    return None


source, target = packet_socket(*sys.argv[1:3]), packet_socket(*sys.argv[3:5])
for line in sys.stdin:
    frame = bytes.fromhex(line)
    source.send(frame)
    until = time.monotonic() + 0.25
    # Anything else on the wire (neighbour discovery) is none of ours: ours bear the same last bytes.
    while (got := receive(target, until)) is not None and got[-16:] != frame[-16:]:
        pass
    print("lost" if got is None else got.hex(), flush=True)
