"""load.py REMOTE SCHEMA: what load.ts does, with the IDL of python3-openvswitch."""
import gc
import json
import resource
import sys
import time

sys.path.append("/usr/lib/python3/dist-packages")
import ovs.db.idl  # noqa: E402
import ovs.poller  # noqa: E402

remote, schema = sys.argv[1:3]
began = time.monotonic()
helper = ovs.db.idl.SchemaHelper(location=schema)
helper.register_all()
idl = ovs.db.idl.Idl(remote, helper)
while not idl.has_ever_connected():
    idl.run()
    if idl.has_ever_connected():
        break
    poller = ovs.poller.Poller()
    idl.wait(poller)
    poller.block()
seconds = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gc.collect()
with open("/proc/self/status") as status:
    rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
rows = len(idl.tables["Interface"].rows)
print(json.dumps({"seconds": seconds, "rows": rows, "peak": peak, "rss": rss}))
