"""Sends raw Ethernet frames at one place and sees what comes out at another, each in its own namespace.

Reads hexadecimal frames, one a line, each with 16 last bytes of its own, sends them all, and prints for each what came
out in hexadecimal, or `lost` when it had not come after so many seconds.

    frames.py <namespace> <interface> <namespace> <interface> <seconds>
"""
import ctypes, os, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA = 3, 263, 8


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
            data, control, _, _ = s.recvmsg(65536, 256)
        except TimeoutError:
            return None
        # The kernel takes the outermost tag off a frame and hands it over beside it: struct tpacket_auxdata.
        for level, kind, value in control:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value)
                if status & 0x10:
                    data = data[:12] + struct.pack(">HH", tpid if status & 0x40 else 0x8100, tci) + data[12:]
        return data
    return None


source, target = packet_socket(*sys.argv[1:3]), packet_socket(*sys.argv[3:5])
frames = [bytes.fromhex(line) for line in sys.stdin]
for frame in frames:
    source.send(frame)
until = time.monotonic() + float(sys.argv[5])
awaited = {frame[-16:] for frame in frames}
# Anything else that comes by (neighbour discovery) is none of ours.
came = {}
while len(came) < len(awaited) and (got := receive(target, until)) is not None:
    if got[-16:] in awaited:
        came[got[-16:]] = got.hex()
for frame in frames:
    print(came.get(frame[-16:], "lost"))
