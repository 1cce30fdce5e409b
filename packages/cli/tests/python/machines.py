"""Virtual machines beside containers, by steps: what is done inside of them is done by others in between."""
import json
import os
import sys

from node import BULK, bootstrap, connect, container, fails, left, nic, reaches

FLIST = "https://hub.gig.tech/machine.flist"
MAC = "52:54:00:80:00:09"


def made():
    """A machine on a VLAN is reached from a container there."""
    cl = connect(timeout=60)
    bootstrap(cl)
    c1 = container(cl, [nic("vlan", 80, "10.80.0.1/24"), nic("vxlan", 8080, "10.81.0.1/24")])
    create = lambda nics, **more: cl.kvm.create(**{"name": "guest", "flist": FLIST, "cpu": 1, "memory": 160, "nics": nics,
                                                  "cmdline": "console=ttyS0 quiet address=10.80.0.9/24", **more})
    assert fails(lambda: create([nic("macvlan", "eth0")]), contains="macvlan")
    assert fails(lambda: create([nic("vlan", 9_999)]), contains="4094")
    assert fails(lambda: create([], flist="https://none"), contains="--root")
    assert fails(lambda: create([], flist=None), contains="boot medium")
    assert fails(lambda: create([], flist=None, media=[{"url": "nbd://x"}]), contains="nbd")
    uuid = create([nic("vlan", 80, hwaddr=MAC)], tags=["t"])
    assert fails(lambda: create([]), contains="guest")
    told = cl.kvm.get(uuid)
    assert (told["name"], told["state"], told["tags"]) == ("guest", "running", ["t"]), told
    assert [one["uuid"] for one in cl.kvm.list()] == [uuid]
    assert told["ifctargets"][0]["mac"] == MAC and len(cl.kvm.info(uuid)["Net"]) == 1
    assert reaches(c1, "10.80.0.9", 40)
    print(json.dumps({"uuid": uuid, "container": c1.container}))


def sends_to_it():
    """Bulk TCP leaves the container for the machine, where others listen."""
    cl = connect()
    c1 = cl.container.client(int(sys.argv[2]))
    sent = c1.bash("head -c %d /dev/zero | nc -w 5 %s 5000" % (BULK, sys.argv[3])).get()
    assert sent.state == "SUCCESS", sent.payload


def plugged():
    """Nics are plugged in and out while it runs, each network once."""
    cl = connect(timeout=60)
    uuid = sys.argv[2]
    count = lambda: len(cl.kvm.info(uuid)["Net"])
    cl.kvm.add_nic(uuid, "vxlan", id="8080", hwaddr="52:54:00:81:00:09")
    assert count() == 2
    for type, id in (("vxlan", "8080"), ("vlan", "80")):
        assert fails(cl.kvm.add_nic, uuid, type, id, contains="already")
    assert fails(cl.kvm.add_nic, uuid, "passthrough", "eth0", contains="invalid nic type")
    assert fails(cl.kvm.add_nic, uuid, "vlan", "81", "nonsense", contains="MAC")
    assert count() == 2 and "vlbr81" not in left(cl)
    bridge = {"name": sys.argv[3], "hwaddr": None, "network": {"mode": None, "nat": False, "settings": {}}}
    cl.json("bridge.create", bridge)
    cl.kvm.add_nic(uuid, "bridge", id=sys.argv[3])
    assert count() == 3
    assert fails(cl.kvm.add_nic, uuid, "bridge", sys.argv[3], contains="already")
    cl.kvm.remove_nic(uuid, "bridge", sys.argv[3])
    cl.json("bridge.delete", {"name": sys.argv[3]})
    assert fails(cl.kvm.remove_nic, uuid, "vlan", "82", code=404)
    assert fails(cl.kvm.remove_nic, uuid, "vxlan", "8080", "52:54:00:81:00:0a", code=404)


def unplugged():
    """A nic that is plugged out leaves the others as they are; one that is paused says nothing."""
    cl = connect(timeout=80)
    uuid, c1 = sys.argv[2], cl.container.client(int(sys.argv[3]))
    cl.kvm.remove_nic(uuid, "vxlan", "8080")
    assert len(cl.kvm.info(uuid)["Net"]) == 1
    state = lambda: cl.kvm.get(uuid)["state"]
    assert reaches(c1, "10.80.0.9")
    cl.kvm.pause(uuid)
    assert state() == "paused" and not reaches(c1, "10.80.0.9", 1)
    cl.kvm.resume(uuid)
    assert state() == "running" and reaches(c1, "10.80.0.9", 10)


def ended():
    """One that is shut down or destroyed is gone, with the networks that only it was on."""
    cl = connect(timeout=80)
    uuid, c1 = sys.argv[2], int(sys.argv[3])
    cl.kvm.shutdown(uuid)
    assert cl.kvm.list() == []
    assert fails(cl.kvm.get, uuid, code=404) and fails(cl.kvm.destroy, uuid, code=404)
    port = int(sys.argv[5])
    again = cl.kvm.create(name="guest", media=[{"url": sys.argv[4]}], flist=FLIST, cpu=1, memory=160,
                          nics=[nic("vlan", 83), {"type": "default"}], port={port: 80})
    told = lambda: cl.kvm.get(again)
    assert "vlbr83" in left(cl) and told()["default_ip"].startswith("172.")
    forward = lambda verb, at, to: cl.json("kvm.portforward-" + verb, {"uuid": again, "host_port": at, "container_port": to})
    forward("add", port + 1, 81)
    assert told()["params"]["port"] == {str(port): 80, str(port + 1): 81}
    assert fails(forward, "add", port + 1, 82, code=409) and fails(forward, "remove", port + 1, 82, code=404)
    forward("remove", port + 1, 81)
    assert told()["params"]["port"] == {str(port): 80}
    for medium in ("nbd://nowhere/disk", "/nowhere.qcow2"):
        assert fails(lambda: cl.kvm.create(name="other", media=[{"url": medium}], nics=[]), code=404, contains=medium)
    cl.kvm.reset(again)
    assert cl.kvm.get(again)["state"] == "running"
    cl.kvm.destroy(again)
    cl.container.terminate(c1)
    assert cl.kvm.list() == [] and left(cl) == ["backplane", "vxbackend"]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
