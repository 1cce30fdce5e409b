"""Two hosts, each a node of its own: what zero-os's networking is for."""
import os
import sys

from node import bootstrap, connect, container, interfaces, nic, reaches, sends
from zeroos.core0.client import Client


def joined():
    """VLANs and VXLANs go on on the other host, each by itself, and carry bulk TCP."""
    nodes = [connect(), Client("127.0.0.1", port=int(sys.argv[2]), timeout=30)]
    made = []
    for n, cl in enumerate(nodes, 1):
        ovscl = bootstrap(cl)
        cl.json("ip.link.up", {"name": "u0"})
        ovscl.json("ovs.port-add", {"bridge": "backplane", "port": "u0"})
        cl.json("ip.link.up", {"name": "vxbackend"})
        cl.json("ip.addr.add", {"name": "vxbackend", "ip": "10.200.0.%d/24" % n})
        made.append([
            container(cl, [nic("vlan", 100, "10.9.0.%d/24" % n), nic("vxlan", 4711, "10.8.0.%d/24" % n)]),
            container(cl, [nic("vlan", 101, "10.9.0.1%d/24" % n), nic("vxlan", 4712, "10.8.0.1%d/24" % n)]),
        ])
    (near, near_other), (far, far_other) = made
    assert reaches(near, "10.9.0.2"), "the VLAN"
    assert sends(near, far, "10.9.0.2") and sends(far, near, "10.9.0.1"), "TCP over the VLAN"
    assert reaches(near, "10.8.0.2", 5), "the VXLAN"
    assert sends(near, far, "10.8.0.2") and sends(far, near, "10.8.0.1"), "TCP over the VXLAN"
    assert reaches(near_other, "10.8.0.12", 5) and reaches(near_other, "10.9.0.12")
    for address in ("10.9.0.2", "10.8.0.2"):
        assert not reaches(near_other, address, 1), address
    for cl, ours in zip(nodes, made):
        for each in ours:
            cl.container.terminate(each.container)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
