"""Who is let in, and how much one may ask for."""
import os
import socket
import sys
import time

import redis

from node import connect

PORT = int(os.environ["ZEROOS_PORT"])


def raw(*chunks, wait=5):
    """Sends bytes and reads until the server closes, or is silent for so long."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=wait) as wire:
        for chunk in chunks:
            wire.sendall(chunk)
        heard = b""
        try:
            while True:
                got = wire.recv(65536)
                if not got:
                    return heard, True
                heard += got
        except (socket.timeout, ConnectionResetError):
            return heard, False


def trusted():
    """A program of root's needs no password."""
    cl = connect()
    assert "PONG" in cl.ping()
    try:
        cl.redis.execute_command("AUTH", "anything")
    except redis.exceptions.RedisError as error:
        assert "no password is set" in str(error)
    for command, words in ((("SET", "a", "b"), "unknown command"), (("RPUSH", "other", "x"), "core:default"),
                           (("BRPOPLPUSH", "a", "b", "1"), "itself"), (("LLEN",), "wrong number"),
                           (("RPUSH", "core:default", "{}"), "no job"), (("SELECT", "1"), "out of range")):
        try:
            cl.redis.execute_command(*command)
            raise SystemExit("%s was taken" % (command,))
        except redis.exceptions.RedisError as error:
            assert words in str(error), error
    assert cl.redis.ping() and cl.redis.llen("core:default") == 0 and cl.redis.exists("none") == 0
    assert cl.redis.ttl("none") == -2 and cl.redis.blpop("none", 1) is None
    job = cl.raw("core.ping", {})
    job.get()
    assert 290 < cl.redis.ttl("result:%s:flag" % job.id) <= 300
    assert cl.redis.execute_command("LTTL", "result:%s" % job.id) <= 300
    assert cl.redis.execute_command("LKEYEXISTS", "result:%s" % job.id) == 1
    assert len(cl.redis.lrange("result:%s" % job.id, 0, -1)) == 1
    assert cl.redis.rpoplpush("result:%s" % job.id, "result:%s" % job.id) is not None


def stranger():
    """A program of somebody else's is not let in without one."""
    os.setgid(65534)
    os.setgroups([])
    os.setuid(65534)
    heard, _ = raw(b"*1\r\n$4\r\nPING\r\n", wait=1)
    assert b"NOPERM" in heard, heard


def limits():
    """What is too large, or no request at all, ends the connection, and nothing else."""
    for bytes in (b"*1\r\n$9000000\r\n", b"*2000\r\n", b"*1\r\n$x\r\n", b"x" * 10_000):
        heard, closed = raw(bytes)
        assert b"Protocol error" in heard and closed, (bytes[:20], heard)
    # Many requests at once are answered in their order.
    heard, _ = raw(b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\nECHO b\r\n", wait=1)
    assert heard == b"$1\r\na\r\n+PONG\r\n$1\r\nb\r\n", heard
    # One who waits does not keep others waiting, and his leaving is noticed.
    began = time.time()
    waiting = socket.create_connection(("127.0.0.1", PORT))
    waiting.sendall(b"*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$1\r\n0\r\n")
    assert connect().ping() and time.time() - began < 5
    waiting.close()


def password():
    """With a password nobody is let in who does not know it."""
    secret = os.environ["SECRET"]
    heard, _ = raw(b"*1\r\n$4\r\nPING\r\n", wait=1)
    assert b"NOAUTH" in heard, heard
    heard, closed = raw(b"*1\r\n$20000\r\n")
    assert b"Protocol error" in heard and closed
    heard, closed = raw(b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n" * 3, wait=3)
    assert heard.count(b"WRONGPASS") == 3 and closed, heard
    for wrong in ("x", secret + "x", ""):
        try:
            connect(password=wrong, timeout=5)
        except redis.exceptions.RedisError:
            continue
        raise SystemExit("%r was taken" % wrong)
    assert connect(password=secret).ping()


def encrypted():
    """The client's default is TLS."""
    assert connect(password=os.environ["SECRET"], ssl=True).ping()
    heard, _ = raw(b"*1\r\n$4\r\nPING\r\n", wait=2)
    assert b"PONG" not in heard


if __name__ == "__main__":
    globals()[sys.argv[1]]()
