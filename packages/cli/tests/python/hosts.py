"""Two hosts, each a node of its own: what zero-os's networking is for."""
import sys

from machines import FLIST
from node import bootstrap, connect, container, fails, left, nic, reaches, sends
from zeroos.core0.client import Client


def nodes():
    return [connect(timeout=60), Client("127.0.0.1", port=int(sys.argv[2]), timeout=60)]


def joined():
    """VLANs and VXLANs go on on the other host, each by itself, and carry bulk TCP."""
    made = []
    for n, cl in enumerate(nodes(), 1):
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
    print(near.container)


def machine():
    """A machine on the other host is on the same VLAN and VXLAN."""
    here, there = nodes()
    there.kvm.create(name="guest", flist=FLIST, cpu=1, memory=160, cmdline="console=ttyS0 quiet address=10.9.0.9/24",
                     nics=[nic("vlan", 100), nic("vxlan", 4711, hwaddr="52:54:00:47:11:09")])
    assert reaches(here.container.client(int(sys.argv[3])), "10.9.0.9", 40)


def ended():
    """Nothing is left but what the hosts were given."""
    for cl in nodes():
        ovs = [int(one) for one in cl.container.find("ovs")]
        for one in cl.kvm.list():
            cl.kvm.destroy(one["uuid"])
        for one in cl.container.list():
            if int(one) not in ovs:
                cl.container.terminate(int(one))
        assert left(cl) == ["backplane", "vxbackend"]
        assert fails(container, cl, [nic("vlan", 4095)])


if __name__ == "__main__":
    globals()[sys.argv[1]]()
