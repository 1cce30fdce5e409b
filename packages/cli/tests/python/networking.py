"""What zero-os's own tests of its networking ask, case by case, and what it got wrong."""
import json
import socket
import sys
import time

from node import (bootstrap, connect, container, fails, interfaces, ipv4, left, nic, reaches, sends, OVS, ROOT)

BASE = ["backplane", "vxbackend"]


def documents():
    """The documents' own lines; only the address is ours."""
    cl = connect()
    resp = cl.container.create('https://hub.gig.tech/gig-official-apps/ovs.flist',
           host_network=True,
           storage='ardb://hub.gig.tech:16379',
           tags=['ovs'])
    ovs = resp.get()

    ovscl = cl.container.client(ovs)
    ovscl.json('ovs.bridge-add', {"bridge": "backplane"})
    ovscl.json('ovs.vlan-ensure', {'master': 'backplane', 'vlan': 2313, 'name':'vxbackend'})

    # Its network is the host's, and its switch the one that it commands.
    assert {"backplane", "vxbackend"} < set(ovscl.bash("ls /sys/class/net").get().stdout.split())
    assert ovscl.bash("ls -l /var/run/openvswitch/db.sock").get().stdout.startswith("s")

    made = [container(cl, [nic("vlan", 100, "10.9.0.%d/24" % n), nic("vxlan", 4711, "10.8.0.%d/24" % n)]) for n in (1, 2)]
    one, two = made
    for address in ("10.9.0.2", "10.8.0.2"):
        assert reaches(one, address) and sends(one, two, address), address
    assert interfaces(one)["eth0"]["mtu"] == 1500
    assert interfaces(one)["eth1"]["mtu"] == 1450
    assert left(cl) == sorted([*BASE, "vlbr100", "vxlbr4711"])
    for each in made:
        cl.container.terminate(each.container)
    assert left(cl) == BASE
    cl.container.terminate(ovs)
    assert cl.container.list() == {}
    for bridge in reversed(BASE):
        ovs = bootstrap_only(cl)
        ovs.json("ovs.bridge-del", {"bridge": bridge})
    cl.container.terminate(ovs.container)


def bootstrap_only(cl):
    found = list(cl.container.find("ovs"))
    return cl.container.client(int(found[0]) if found else cl.container.create(OVS, host_network=True, tags=["ovs"]).get())


def vxlans():
    """A VXLAN joins those in it alone, until its bridge is deleted."""
    cl = connect()
    ovscl = bootstrap(cl)
    world = sys.argv[2]
    c1 = container(cl, [nic("vxlan", 10_001, "192.168.2.1/24")])
    c2 = container(cl, [{"type": "default"}, nic("vxlan", 10_001, "192.168.2.2/24")])
    c3 = container(cl, [nic("vxlan", 10_002, "192.168.2.3/24")])
    assert reaches(c2, world)
    assert not reaches(c1, world, 1)
    assert reaches(c1, "192.168.2.2") and sends(c1, c2, "192.168.2.2")
    assert not reaches(c3, "192.168.2.1", 1)
    ovscl.json("ovs.bridge-del", {"bridge": "vxlbr10001"})
    assert not reaches(c1, "192.168.2.2", 1)
    for each in (c1, c2, c3):
        cl.container.terminate(each.container)
    assert left(cl) == BASE


def leasing_vlans():
    """As a VXLAN does, a VLAN joins those in it alone, whose addresses a container in it leases."""
    cl = connect(timeout=60)
    ovscl = bootstrap(cl)
    world = sys.argv[2]
    server = container(cl, [nic("vlan", 34, "192.168.4.254/24")])
    settings = "start 192.168.4.10\nend 192.168.4.19\ninterface eth0\noption subnet 255.255.255.0\n"
    daemon = server.bash("cat >/udhcpd.conf; mkdir -p /var/lib/misc; touch /var/lib/misc/udhcpd.leases; exec udhcpd -f /udhcpd.conf",
                         stdin=settings)
    dhcp = nic("vlan", 34, config={"dhcp": True})
    c1 = container(cl, [dhcp])
    c2 = container(cl, [{"type": "default"}, dhcp])
    c3 = container(cl, [nic("vlan", 35, "192.168.4.3/24")])
    address = ipv4(c2, "eth1")
    assert {ipv4(c1, "eth0").rsplit(".", 1)[0], address.rsplit(".", 1)[0]} == {"192.168.4"} and ipv4(c1, "eth0") != address
    assert reaches(c2, world) and not reaches(c1, world, 1)
    assert reaches(c1, address) and sends(c1, c2, address)
    assert not reaches(c3, address, 1)
    ovscl.json("ovs.bridge-del", {"bridge": "vlbr34"})
    assert not reaches(c1, address, 1)
    assert daemon.running
    for each in (server, c1, c2, c3):
        cl.container.terminate(each.container)
    assert left(cl) == BASE


def segments_apart():
    """One subnet on a VXLAN and on a VLAN is two networks."""
    cl = connect()
    ovscl = bootstrap(cl)
    c1 = container(cl, [nic("vxlan", 20_001, "192.168.3.1/24")])
    c2 = container(cl, [nic("vlan", 33, "192.168.3.2/24")])
    assert not reaches(c1, "192.168.3.2", 1)
    assert not reaches(c2, "192.168.3.1", 1)
    for bridge in ("vxlbr20001", "vlbr33"):
        ovscl.json("ovs.bridge-del", {"bridge": bridge})
    for each in (c1, c2):
        cl.container.terminate(each.container)
    assert left(cl) == BASE


def ensures():
    """A VLAN has one bridge, and a bridge one VLAN."""
    cl = connect()
    ovscl = bootstrap(cl)
    ensure = lambda vlan, name: ovscl.json("ovs.vlan-ensure", {"master": "backplane", "vlan": vlan, "name": name})
    assert ensure(41, "bn1") == "bn1" and ensure(41, "bn1") == "bn1"
    assert "bn1" in interfaces(cl)
    for _ in range(2):
        assert fails(ensure, 41, "bn2", code=1001)
        assert "bn2" not in interfaces(cl)
    assert fails(ensure, 42, "bn1", code=1001)
    assert "bn1" in interfaces(cl)
    ovscl.json("ovs.bridge-del", {"bridge": "bn1"})
    for _ in range(2):
        assert ovscl.json("ovs.vxlan_ensure", {"master": "vxbackend", "vxlan": 20_003}) == "vxlbr20003"
    # What somebody made by himself stays when a container that used it goes.
    c1 = container(cl, [nic("vxlan", 20_003)])
    cl.container.terminate(c1.container)
    assert "vxlbr20003" in left(cl)
    ovscl.json("ovs.bridge-del", {"bridge": "vxlbr20003"})
    assert left(cl) == BASE


def hardware_addresses():
    """A nic has the MAC address that is asked for; what is none is refused, and leaves nothing."""
    cl = connect()
    bootstrap(cl)
    mac = "52:54:00:12:34:56"
    c1 = container(cl, [nic("vlan", 50, "10.5.0.1/24", hwaddr=mac, name="lan")])
    assert interfaces(c1)["lan"]["hardwareaddr"] == mac
    before = cl.container.list().keys()
    assert fails(container, cl, [nic("vlan", 51, hwaddr="zz:zz")], code=400, contains="MAC")
    assert fails(container, cl, [nic("vlan", 51, "10.5.0.300/24")], code=400)
    assert fails(container, cl, [nic("vlan", 5000)], contains="4094")
    assert fails(container, cl, [nic("wlan", 1)], code=400, contains="unsupported network type")
    assert cl.container.list().keys() == before
    assert "vlbr51" not in left(cl)
    cl.container.terminate(c1.container)


def plugging():
    """Nics come and go while a container runs; a number once given stays."""
    cl = connect()
    bootstrap(cl)
    c1 = container(cl, [nic("vlan", 60, "10.6.0.1/24")])
    c2 = container(cl, [nic("vlan", 61, "10.6.1.2/24")])
    nics = lambda: [(one["name"], one["state"]) for one in listed(cl, c1)["nics"]]
    cl.container.nic_add(c1.container, nic("vlan", 61, "10.6.1.1/24"))
    assert nics() == [("eth0", "configured"), ("eth1", "configured")]
    assert reaches(c1, "10.6.1.2") and sends(c1, c2, "10.6.1.2")
    add = lambda one: cl.container.nic_add(c1.container, one)
    # One that cannot be had leaves nothing behind: no entry, no bridge.
    assert fails(add, nic("vlan", 62, "10.6.1.2"), code=400)
    assert fails(add, nic("vlan", 61, "10.6.1.2/24"), code=409)
    assert fails(add, nic("vlan", 62, name="eth9"), code=400)
    assert len(nics()) == 2 and "vlbr62" not in left(cl)
    remove = lambda index: cl.container.nic_remove(c1.container, index)
    remove(0)
    assert nics() == [("eth0", "destroyed"), ("eth1", "configured")]
    assert "vlbr60" not in left(cl)
    assert fails(remove, 0, code=412, contains="destroyed")
    assert fails(remove, 7, code=400)
    add(nic("vlan", 60, "10.6.0.1/24"))
    assert [name for name, _ in nics()] == ["eth0", "eth1", "eth2"]
    assert sorted(interfaces(c1)) == ["eth1", "eth2", "lo"]
    for each in (c1, c2):
        cl.container.terminate(each.container)
    assert left(cl) == BASE


def forwards():
    """Ports of the host lead to a container as long as it has a default nic, and to that one alone."""
    cl = connect()
    port = int(sys.argv[2])
    c1 = container(cl, [{"type": "default"}], port={port: 80})
    c2 = container(cl, [{"type": "default"}])
    said = lambda at: cl_said(at)
    server = "mkdir -p /www; echo %s >/www/index.html; httpd -p 80 -h /www"
    for each, word in ((c1, "one"), (c2, "two")):
        assert each.bash(server % word).get().state == "SUCCESS"
    assert said(port) == "one"
    forward = lambda verb, to, at: cl.json("corex.portforward-" + verb,
                                           {"container": to.container, "host_port": str(at), "container_port": 80})
    forward("add", c2, port + 1)
    assert said(port + 1) == "two"
    assert fails(forward, "add", c2, port + 1, code=409)
    assert fails(forward, "remove", c1, port + 1, code=404)
    forward("remove", c2, port + 1)
    assert said(port + 1) is None and said(port) == "one"
    cl.container.terminate(c2.container)
    assert said(port) == "one"
    cl.container.nic_remove(c1.container, 0)
    assert said(port) is None
    assert fails(forward, "add", c1, port, code=404, contains="default")
    cl.container.terminate(c1.container)


def cl_said(port):
    import urllib.request
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=3) as answer:
            return answer.read().decode().strip()
    except OSError:
        return None


def listed(cl, one):
    return cl.container.list()[str(one.container)]["container"]["arguments"]


def links():
    """Links, addresses and routes are listed, set and unset; the same twice is refused."""
    cl = connect()
    c1 = container(cl, [{"type": "default"}], privileged=True)
    for place, link in ((cl, "tbr0"), (c1, "tbr1")):
        run = lambda verb, **args: place.json("ip." + verb, args)
        run("bridge.add", name=link, hwaddr="52:54:00:00:00:07")
        assert fails(lambda: run("bridge.add", name=link))
        shown = next(one for one in run("link.list") if one["name"] == link)
        assert shown["type"] == "bridge" and shown["hwaddr"] == "52:54:00:00:00:07" and not shown["up"]
        run("link.up", name=link)
        run("addr.add", name=link, ip="10.77.0.1/24")
        assert fails(lambda: run("addr.add", name=link, ip="10.77.0.1/24"))
        assert "10.77.0.1/24" in run("addr.list", name=link)
        route = {"dev": link, "dst": "10.78.0.0/24", "gw": "10.77.0.9"}
        run("route.add", **route)
        assert fails(lambda: run("route.add", **route))
        assert route in run("route.list")
        run("route.del", **route)
        assert route not in run("route.list")
        run("addr.del", name=link, ip="10.77.0.1/24")
        assert fails(lambda: run("addr.del", name=link, ip="10.77.0.1/24"))
        run("bridge.add", name=link + "x")
        assert fails(lambda: run("bridge.delif", name=link, inf=link + "x"), code=400)
        run("link.down", name=link)
        run("link.name", name=link, new="tbr9")
        for name in ("tbr9", link + "x"):
            run("bridge.del", name=name)
        assert fails(lambda: run("bridge.del", name="tbr9"), code=404)
        assert fails(lambda: run("link.up", name="-x"), code=404)
    cl.container.terminate(c1.container)


def bridges():
    """Bridges come with addresses, leases and members, once each, and go."""
    cl = connect()
    prefix, member = sys.argv[2:]
    run = lambda verb, **args: cl.json("bridge." + verb, args)
    create = lambda name, mode=None, nat=False, **settings: run(
        "create", name=name, hwaddr=settings.pop("hwaddr", None),
        network={"mode": mode, "nat": nat, "settings": settings})
    plain, still, leasing = (prefix + end for end in "abc")
    create(plain, hwaddr="52:54:00:00:00:0a")
    assert plain in run("list") and interfaces(cl)[plain]["hardwareaddr"] == "52:54:00:00:00:0a"
    assert fails(create, plain, code=409)
    assert fails(lambda: create(prefix + "x", hwaddr="nonsense"), code=400)
    assert fails(lambda: create("default"), code=400) and fails(lambda: create("x" * 16), code=400)
    assert run("nic-list", name=plain) == []
    run("nic-add", name=plain, nic=member)
    assert run("nic-list", name=plain) == [member]
    master = next(one for one in cl.json("ip.link.list", {}) if one["name"] == member)["master"]
    assert master == plain, master
    run("nic-remove", nic=member)
    assert run("nic-list", name=plain) == []
    assert fails(lambda: run("nic-remove", nic=member), code=404)
    create(still, "static", cidr="10.87.1.1/24")
    assert {"addr": "10.87.1.1/24"} in interfaces(cl)[still]["addrs"]
    assert fails(lambda: create(prefix + "x", "static", cidr="10.87.1.1/24"))
    assert fails(lambda: create(prefix + "x", "static", cidr="10.87.2.1"), code=400)
    create(leasing, "dnsmasq", True, cidr="10.87.3.1/24", start="10.87.3.10", end="10.87.3.20")
    assert {"addr": "10.87.3.1/24"} in interfaces(cl)[leasing]["addrs"]
    run("host-add", bridge=leasing, ip="10.87.3.15", mac="52:54:00:00:00:0b")
    run("add_host", bridge=leasing, ip="10.87.3.16", mac="52:54:00:00:00:0c")
    assert fails(lambda: run("host-add", bridge=still, ip="10.87.1.5", mac="52:54:00:00:00:0b"))
    for name in (plain, still, leasing):
        run("delete", name=name)
        assert name not in run("list") and name not in interfaces(cl)
        assert fails(lambda: run("delete", name=name), code=404)
    create(leasing, "dnsmasq", True, cidr="10.87.3.1/24", start="10.87.3.10", end="10.87.3.20")
    run("delete", name=leasing)


def leases():
    """Containers on a bridge get leases of its range, reach each other, and the world where their network is hidden."""
    cl = connect()
    prefix, world = sys.argv[2:]
    name = prefix + "l"
    create = lambda nat: cl.json("bridge.create", {"name": name, "hwaddr": None, "network": {
        "mode": "dnsmasq", "nat": nat, "settings": {"cidr": "10.88.1.1/24", "start": "10.88.1.10", "end": "10.88.1.20"}}})
    dhcp = {"type": "bridge", "id": name, "config": {"dhcp": True}}
    create(True)
    made = [container(cl, [dhcp]) for _ in range(2)]
    addresses = [ipv4(one, "eth0") for one in made]
    assert len(set(addresses)) == 2 and all(10 <= int(one.split(".")[3]) <= 20 for one in addresses), addresses
    assert reaches(made[0], addresses[1]) and reaches(made[1], addresses[0])
    assert sends(made[0], made[1], addresses[1])
    assert reaches(made[0], world)
    # The name server on a bridge has its own address only: the host resolves names as it did.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as others:
        others.bind(("127.0.0.77", 53))
    # A bridge that is used stays.
    assert fails(lambda: cl.json("bridge.delete", {"name": name}), code=409)
    assert fails(container, cl, [dhcp, dhcp], code=400)
    for one in made:
        cl.container.terminate(one.container)
    cl.json("bridge.delete", {"name": name})
    create(False)
    third = container(cl, [dhcp])
    assert ipv4(third, "eth0").startswith("10.88.1.") and not reaches(third, world, 1)
    cl.container.terminate(third.container)
    cl.json("bridge.delete", {"name": name})
    assert fails(container, cl, [{"type": "bridge", "id": name}], contains=name)
    assert cl.container.find() == {**cl.container.find("ovs")}


def open_ports():
    """Ports of the host are opened and dropped, each once, and told in the words of nft."""
    cl = connect()
    run = lambda verb, port, **where: cl.json("nft." + verb, {"port": port, "interface": None, "subnet": None, **where})
    assert cl.json("nft.list", {}) == [] and run("rule_exists", 8080) is False
    run("open_port", 8080)
    run("open_port", 8080, interface="eth0", subnet="10.1.2.3/24")
    assert run("rule_exists", 8080)
    assert cl.json("nft.list", {}) == ["tcp dport 8080 accept",
                                       'iifname "eth0" ip saddr 10.1.2.0/24 tcp dport 8080 accept']
    assert fails(run, "open_port", 8080, code=409)
    assert fails(run, "open_port", 70_000, code=400) and fails(run, "open_port", 1 << 40, code=400)
    assert fails(lambda: run("open_port", 80, interface='x" drop'), code=400)
    assert fails(lambda: run("open_port", 80, subnet="10.1.2.0/33"), code=400)
    run("drop_port", 8080)
    assert fails(run, "drop_port", 8080, code=404)
    assert len(cl.json("nft.list", {})) == 1
    run("drop_port", 8080, interface="eth0", subnet="10.1.2.0/24")
    assert cl.json("nft.list", {}) == []
    # What is left of these goes with the yard.
    run("open_port", 8081)


def host_nics():
    """NICs of the host are shared, or lent and given back."""
    cl = connect()
    shared, lent = sys.argv[2:]
    two = [container(cl, [{"type": "macvlan", "id": shared, "config": {"cidr": "10.89.0.%d/24" % n}}]) for n in (1, 2)]
    macs = [interfaces(one)["eth0"]["hardwareaddr"] for one in two]
    assert len(set(macs)) == 2 and interfaces(cl)[shared]["hardwareaddr"] not in macs
    assert reaches(two[0], "10.89.0.2") and sends(two[0], two[1], "10.89.0.2")
    before = interfaces(cl)[lent]
    third = container(cl, [{"type": "passthrough", "id": lent, "config": {"cidr": "10.89.1.1/24"}}])
    assert lent not in interfaces(cl)
    inside = interfaces(third)["eth0"]
    assert inside["hardwareaddr"] == before["hardwareaddr"] and {"addr": "10.89.1.1/24"} in inside["addrs"]
    assert fails(container, cl, [{"type": "passthrough", "id": lent}], contains=lent)
    assert fails(container, cl, [{"type": "macvlan", "id": "none0"}], contains="none0")
    # A bridge is nobody's to lend: it stays where it is.
    cl.json("bridge.create", {"name": shared + "b", "hwaddr": None, "network": {"mode": None, "nat": False}})
    passed = {"type": "passthrough", "id": shared + "b", "name": "passed"}
    assert fails(container, cl, [passed], contains=shared + "b")
    assert fails(lambda: cl.container.nic_add(third.container, passed), contains=shared + "b")
    assert shared + "b" in interfaces(cl) and "passed" not in interfaces(third)
    cl.json("bridge.delete", {"name": shared + "b"})
    for one in (*two, third):
        cl.container.terminate(one.container)
    after = interfaces(cl)[lent]
    assert {**after, "addrs": []} == {**before, "addrs": []}, (before, after)


def refusals():
    """What cannot be is said, with a code."""
    cl = connect()
    assert "switchyard" in cl.ping()
    assert cl.json("core.state", {})["rss"] > 0
    unknown = cl.raw("core.nonsense", {}).get()
    assert (unknown.state, unknown.code) == ("UNKNOWN_CMD", 404)
    create = lambda **options: cl.container.create(options.pop("root", ROOT), **options).get()
    assert fails(lambda: create(nics=[nic("vlan", 5)]), code=412, contains="ovs")
    assert fails(lambda: create(root="https://other/root.flist"), code=404, contains="--root")
    assert fails(lambda: create(nics=[{"type": "default"}] * 2), code=400, contains="only one default")
    assert fails(lambda: create(mount={"/nowhere": "/x"}), code=400)
    assert fails(lambda: create(port={"eth0:80": 80}), code=400)
    assert fails(lambda: create(nics=[nic("zerotier", "9bee8941b5717835")]))
    assert fails(cl.container.client(99).ping, contains="99")
    ovscl = bootstrap(cl)
    assert fails(lambda: cl.container.create(OVS, tags=["ovs"]).get(), code=409, contains="tagged ovs")
    assert ovscl.raw("ovs.nonsense", {}).get().state == "UNKNOWN_CMD"
    noted = ovscl.raw("ovs.bridge-add", {"bridge": "backplane", "colour": "red"}).get()
    assert (noted.state, noted.code) == ("ERROR", 1001) and "colour" in noted.stderr and "exists" in noted.data
    plain = container(cl, [])
    assert plain.raw("ovs.list", {}).get().state == "UNKNOWN_CMD"
    assert fails(lambda: cl.container.nic_add(99, nic("vlan", 5)), code=404)
    twice = cl.raw("corex.dispatch", {"container": plain.container, "command": {"command": "core.ping", "id": "same"}})
    assert twice.get().state == "SUCCESS"
    twice = cl.raw("corex.dispatch", {"container": plain.container, "command": {"command": "core.ping", "id": "same"}})
    assert twice.get().state == "DUPILICATE_ID"
    cl.container.terminate(plain.container)


def processes():
    """Programs run in containers, with output, limits and exit codes; they can be followed and killed."""
    cl = connect()
    c1 = container(cl, [], hostname="alone", env={"GREETING": "hello"})
    done = c1.bash("echo $GREETING; hostname; cat; echo bad >&2; exit 3", stdin="in\n").get()
    assert (done.state, done.code, done.stdout, done.stderr) == ("ERROR", 1003, "hello\nalone\nin\n", "bad\n"), done.payload
    assert done.container == c1.container
    assert c1.system("pwd", dir="/tmp").get().stdout == "/tmp\n"
    assert c1.system("env", env={"A": "b"}).get().stdout.count("A=b") == 1
    assert c1.system("no-such-program").get().code == 1127
    began = time.time()
    assert c1.system("sleep 30", max_time=1).get().state == "TIMEOUT"
    assert time.time() - began < 10
    heard = []
    followed = c1.bash("echo one; echo two >&2; exit 1", stream=True)
    followed.stream(lambda *message: heard.append(message))
    assert sorted(heard[:-1]) == [(1, "one", 0), (2, "two", 0)] and heard[-1][2] & 0x4, heard
    sleeper = c1.system("sleep 30")
    assert sleeper.running
    assert [job["cmd"]["command"] for job in cl.json("job.list", {"id": sleeper.id})] == ["core.system"]
    cl.json("job.kill", {"id": sleeper.id, "signal": 15})
    assert sleeper.get().state == "KILLED" and not sleeper.running and sleeper.exists
    queued = [c1.bash("echo %d >>/order; sleep 0.1; echo %d >>/order" % (n, n), queue="q") for n in (1, 2, 3)]
    for job in queued:
        assert job.get().state == "SUCCESS"
    assert c1.bash("tr -d '\\n' </order").get().stdout.strip() == "112233"
    cl.container.terminate(c1.container)


def many():
    """Containers that come and go at once neither lose their networks nor leave any."""
    cl = connect()
    bootstrap(cl)
    for _ in range(2):
        asked = [cl.container.create(ROOT, nics=[nic("vlan", 70 + n % 2, "10.7.0.%d/24" % (n + 1))]) for n in range(6)]
        made = [response.get() for response in asked]
        assert left(cl) == sorted([*BASE, "vlbr70", "vlbr71"])
        gone = [cl.raw("corex.terminate", {"container": one}) for one in made]
        assert [response.get().state for response in gone] == ["SUCCESS"] * 6
        assert left(cl) == BASE


def zerotier():
    """Two containers are assigned addresses on ZeroTier's network; what is no network there is the operation's error."""
    cl = connect(timeout=60)
    nwid, unknown = "8056c2e21c000001", "8056c2e21c0000ff"
    two = [container(cl, [{"type": "default"}, nic("zerotier", nwid)]) for _ in range(2)]
    told = [cl.json("corex.zerotier.list", {"container": one.container}) for one in two]
    addresses = [one["assignedAddresses"][0] for (one,) in told]
    assert len(set(addresses)) == 2 and [one["nwid"] for (one,) in told] == [nwid] * 2, told
    for one, address in zip(two, addresses):
        assert {"addr": address} in interfaces(one)["zt1"]["addrs"]
    addresses = [address.split("/")[0] for address in addresses]
    assert reaches(two[0], addresses[1]) and reaches(two[1], addresses[0])
    assert sends(two[0], two[1], addresses[1])
    assert fails(container, cl, [nic("zerotier", "nonsense")], code=400)
    assert fails(container, cl, [nic("zerotier", unknown)])
    assert fails(lambda: cl.container.create(ROOT, nics=[nic("zerotier", nwid)], identity="x").get(), code=501)
    cl.container.nic_remove(two[0].container, 1)
    assert cl.json("corex.zerotier.list", {"container": two[0].container}) == []
    assert fails(lambda: cl.container.nic_remove(two[0].container, 1), code=412)
    for one in two:
        cl.container.terminate(one.container)


def memberships():
    """The host itself joins a network of ZeroTier, and leaves it, once."""
    cl = connect()
    nwid = "8056c2e21c000002"
    run = lambda verb, network: cl.json("zerotier." + verb, {"network": network})
    listed = lambda: [one["nwid"] for one in cl.json("zerotier.list", {})]
    assert len(cl.json("zerotier.info", {})["address"]) == 10
    assert listed() == []
    run("join", nwid)
    assert listed() == [nwid]
    assert fails(run, "join", "nonsense", code=400)
    run("leave", nwid)
    assert listed() == []
    assert fails(run, "leave", nwid, code=404)


def no_memberships():
    """Where the host has no program for it, it says so."""
    assert fails(lambda: connect().json("zerotier.list", {}), code=412, contains="zerotier-one")


def settled():
    """A container of its own, whose number is printed."""
    cl = connect()
    bootstrap(cl)
    print(container(cl, [nic("vlan", 90, "10.90.0.1/24")]).container)


def gone():
    """What it was on is gone with it."""
    assert left(connect()) == BASE


def still():
    """All goes on: new things are made, old ones are there."""
    cl = connect(timeout=40)
    one = cl.container.client(int(sys.argv[2]))
    two = container(cl, [nic("vlan", 90, "10.90.0.2/24")])
    assert reaches(one, "10.90.0.2", 5) and sends(one, two, "10.90.0.2")
    cl.container.terminate(two.container)


def remembered():
    """Prints what there is, to be held against what there is after another server has taken over."""
    print(json.dumps(connect().container.list(), sort_keys=True))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
