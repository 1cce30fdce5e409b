"""A small client that speaks to a zero-os node as its own client does.

Jobs are pushed to `core:default`, taken for accepted once `result:<id>:flag` is there, and their results read, as often
as one likes, by turning the list `result:<id>` onto itself. Names and shapes are those that programs written for
zero-os use, as far as networking goes.
"""
import json
import time
import uuid

import redis


class ResultError(Exception):
    def __init__(self, message, code=0):
        super().__init__(message)
        self.code = code


class JobNotFoundError(Exception):
    pass


class Return:
    def __init__(self, payload):
        self.payload = payload
        for field in ("id", "data", "level", "state", "code", "time", "tags", "container"):
            setattr(self, field, payload[field])
        self.stdout, self.stderr = payload["streams"]
        self.starttime = payload["starttime"] / 1000


class Response:
    def __init__(self, client, id):
        self._client = client
        self.id = id
        self._queue = "result:" + id

    @property
    def exists(self):
        return bool(self._client.redis.exists(self._queue + ":flag"))

    @property
    def running(self):
        return self.exists and self._client.redis.ttl(self._queue + ":flag") == -1

    def get(self, timeout=None):
        left = self._client.timeout if timeout is None else timeout
        while left > 0:
            if not self.exists:
                raise JobNotFoundError(self.id)
            found = self._client.redis.brpoplpush(self._queue, self._queue, int(min(left, 10)))
            if found is not None:
                return Return(json.loads(found.decode()))
            left -= 10
        raise TimeoutError()

    def stream(self, callback):
        while True:
            found = self._client.redis.blpop("stream:" + self.id, 10)
            if found is None:
                if not self.running:
                    return
                continue
            message = json.loads(found[1].decode())["message"]
            meta = message["meta"]
            callback(meta >> 16, message["message"], meta & 0xFF)
            if meta & 0x6:
                return


class JSONResponse(Response):
    def __init__(self, response):
        super().__init__(response._client, response.id)

    def get(self, timeout=None):
        return value_of(super().get(timeout))


def value_of(result):
    if result.state != "SUCCESS":
        raise ResultError(result.data, result.code)
    if result.level != 20:
        raise ResultError("not a json response: %d" % result.level, 406)
    return json.loads(result.data)


class Commands:
    """What the host and a container both take."""

    def sync(self, command, arguments, **more):
        result = self.raw(command, arguments, **more).get()
        if result.state != "SUCCESS":
            raise RuntimeError("invalid response: %s" % result.state, result)
        return result

    def json(self, command, arguments, **more):
        return value_of(self.raw(command, arguments, **more).get())

    def ping(self):
        return self.json("core.ping", {})

    def system(self, command, dir="", stdin="", env=None, **more):
        name, *args = command.split()
        return self.raw("core.system", {"name": name, "args": args, "dir": dir, "stdin": stdin, "env": env}, **more)

    def bash(self, script, stdin="", **more):
        return self.raw("bash", {"script": script, "stdin": stdin}, **more)


class Manager:
    def __init__(self, client):
        self._client = client


class Container(Commands):
    def __init__(self, client, container):
        self._client = client
        self.container = container
        self.timeout = client.timeout

    def raw(self, command, arguments, queue=None, max_time=None, stream=False, tags=None, id=None):
        wanted = {"command": command, "arguments": arguments, "queue": queue, "max_time": max_time}
        wanted.update({"stream": stream, "tags": tags, "id": id})
        dispatched = self._client.raw("corex.dispatch", {"container": self.container, "command": wanted}).get()
        if dispatched.state != "SUCCESS":
            raise RuntimeError("failed to dispatch command to container: %s" % dispatched.data)
        return Response(self._client, json.loads(dispatched.data))


class Containers(Manager):
    Default = object()

    def create(self, root_url, mount=None, host_network=False, nics=Default, port=None, hostname=None,
               privileged=False, storage=None, name=None, tags=None, identity=None, env=None):
        if nics is self.Default:
            nics = [{"type": "default"}]
        args = {"root": root_url, "mount": mount, "host_network": host_network, "nics": nics or [], "port": port}
        args.update({"hostname": hostname, "privileged": privileged, "storage": storage, "name": name})
        args.update({"identity": identity, "env": env})
        return JSONResponse(self._client.raw("corex.create", args, tags=tags))

    def list(self):
        return self._client.json("corex.list", {})

    def find(self, *tags):
        return self._client.json("corex.find", {"tags": list(tags)})

    def terminate(self, container):
        self._client.json("corex.terminate", {"container": int(container)})

    def nic_add(self, container, nic):
        return self._client.json("corex.nic-add", {"container": container, "nic": nic})

    def nic_remove(self, container, index):
        return self._client.json("corex.nic-remove", {"container": container, "index": index})

    def client(self, container):
        return Container(self._client, int(container))


class Machines(Manager):
    def create(self, name, media=None, flist=None, cpu=2, memory=512, nics=None, port=None, cmdline=None, tags=None):
        args = {"name": name, "media": media or [], "flist": flist or "", "cpu": cpu, "memory": memory}
        args.update({"nics": nics or [], "port": port, "cmdline": cmdline or ""})
        return self._client.json("kvm.create", args, tags=tags)

    def add_nic(self, uuid, type, id=None, hwaddr=None):
        return self._client.json("kvm.add_nic", {"uuid": uuid, "type": type, "id": id, "hwaddr": hwaddr})

    def remove_nic(self, uuid, type, id=None, hwaddr=None):
        return self._client.json("kvm.remove_nic", {"uuid": uuid, "type": type, "id": id, "hwaddr": hwaddr})

    def list(self):
        return self._client.json("kvm.list", {})

    def __getattr__(self, verb):
        """destroy, shutdown, reboot, reset, pause, resume, get, info: those that take a machine alone."""
        return lambda uuid: self._client.json("kvm." + verb, {"uuid": uuid})


class Client(Commands):
    def __init__(self, host, port=6379, password="", db=0, ssl=False, timeout=30):
        self.timeout = timeout
        options = {"ssl": True, "ssl_cert_reqs": None} if ssl else {}
        self.redis = redis.Redis(host=host, port=port, password=password, db=db, socket_timeout=timeout + 5,
                                 socket_keepalive=True, **options)
        self.container = Containers(self)
        self.kvm = Machines(self)
        self.ping()

    def raw(self, command, arguments, queue=None, max_time=None, stream=False, tags=None, id=None):
        id = id or str(uuid.uuid4())
        job = {"id": id, "command": command, "arguments": arguments, "queue": queue, "max_time": max_time}
        job.update({"stream": stream, "tags": tags})
        flag = "result:%s:flag" % id
        self.redis.rpush("core:default", json.dumps(job))
        if self.redis.brpoplpush(flag, flag, 10) is None:
            raise TimeoutError("failed to queue job " + id)
        return Response(self, id)

    def response_for(self, id):
        return Response(self, id)
