"""What the tests of zero-os's door share: a node to talk to, and what one asks of containers."""
import os

from zeroos.core0.client import Client, ResultError

OVS = "https://hub.gig.tech/gig-official-apps/ovs.flist"
ROOT = "https://hub.gig.tech/gig-bootable/ubuntu:16.04.flist"
STORAGE = "ardb://hub.gig.tech:16379"
#: Bytes that are sent over TCP to see that more than a handshake passes.
BULK = 3_000_000


def connect(**options):
    return Client("127.0.0.1", port=int(os.environ["ZEROOS_PORT"]), **options)


def bootstrap(cl):
    """The container for Open vSwitch, with the two bridges that VLANs and VXLANs come from."""
    found = list(cl.container.find("ovs"))
    if found:
        return cl.container.client(int(found[0]))
    ovs = cl.container.create(OVS, host_network=True, storage=STORAGE, tags=["ovs"]).get()
    ovscl = cl.container.client(ovs)
    ovscl.json("ovs.bridge-add", {"bridge": "backplane"})
    ovscl.json("ovs.vlan-ensure", {"master": "backplane", "vlan": 2000, "name": "vxbackend"})
    return ovscl


def container(cl, nics, **options):
    made = cl.container.create(ROOT, storage=STORAGE, nics=nics, **options).get()
    return cl.container.client(made)


def nic(type, id, cidr=None, **more):
    return {"type": type, "id": str(id), **({} if cidr is None else {"config": {"cidr": cidr}}), **more}


def reaches(source, address, tries=3):
    again = "for i in $(seq %d); do ping -c1 -W1 %s && exit 0; done; exit 1"
    return source.bash(again % (tries, address)).get().state == "SUCCESS"


def sends(source, target, address):
    """Whether bulk TCP arrives whole."""
    # The end of its input would end the server before it has read all.
    served = target.bash("mkfifo -m 600 /tmp/open; nc -l -p 5000 <>/tmp/open | wc -c; rm /tmp/open")
    again = "for i in 1 2 3 4 5 6 7 8 9 10; do head -c %d /dev/zero | nc -w 5 %s 5000 && exit 0; sleep 0.1; done; exit 1"
    sent = source.bash(again % (BULK, address)).get()
    return sent.state == "SUCCESS" and served.get().stdout.strip() == str(BULK)


def fails(work, *args, code=None, contains=""):
    """Whether that is refused, with such a code and such words."""
    try:
        work(*args)
    except (ResultError, RuntimeError) as error:
        text = str(error)
        assert contains in text, text
        assert code is None or getattr(error, "code", code) == code, (error.code, text)
        return True
    return False


def interfaces(place):
    return {link["name"]: link for link in place.json("info.nic", {})}


def ipv4(place, link):
    return next(one["addr"] for one in interfaces(place)[link]["addrs"] if "." in one["addr"]).split("/")[0]


def left(cl):
    """Names of all bridges, to see what is left."""
    ovs = next(iter(cl.container.find("ovs")))
    return sorted(cl.container.client(int(ovs)).json("ovs.list", {}))
