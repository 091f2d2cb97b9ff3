"""pymemcache against two servers: pymemcache_client.py use|again text PORT PORT"""

import sys
import threading
import zlib

from check import check, done, refused, soon
from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError

phase, _, *ports = sys.argv[1:]
servers = [("127.0.0.1", int(port)) for port in ports]
NOISE = bytes((i * i * 7919 >> 7) & 255 for i in range(900_000))
LONG_KEY = "k" * 250


def connect(server=servers[0], **options):
    return Client(server, **{"default_noreply": False, "no_delay": True, "timeout": 10, **options})


class Compressed:
    """Values of more than a kilobyte go through zlib, told by a flag."""

    @staticmethod
    def serialize(_key, value):
        return (zlib.compress(value), 1 << 7) if len(value) > 1000 else (value, 0)

    @staticmethod
    def deserialize(_key, value, flags):
        return zlib.decompress(value) if flags & 1 << 7 else value


def storage(client):
    check("set", client.set("a", "one"), True)
    check("get", client.get("a"), b"one")
    check("add, present", client.add("a", "two"), False)
    check("add, absent", client.add("b", "two"), True)
    check("replace, present", client.replace("a", "three"), True)
    check("replace, absent", client.replace("nothing", "x"), False)
    check("append", client.append("a", "!"), True)
    check("prepend", client.prepend("a", "?"), True)
    check("append, absent", client.append("nothing", "!"), False)
    check("joined", client.get("a"), b"?three!")
    check("delete", client.delete("a"), True)
    check("delete, absent", client.delete("a"), False)
    check("get, absent", client.get("a", "default"), "default")
    check("line ends", (client.set("lines", b"END\r\nVALUE a 0 1\r\n"), client.get("lines")), (True, b"END\r\nVALUE a 0 1\r\n"))
    check("long key", (client.set(LONG_KEY, "long"), client.get(LONG_KEY)), (True, b"long"))
    refused("longer key", MemcacheIllegalInputError, lambda: client.set(LONG_KEY + "k", "x"))
    wide = connect(allow_unicode_keys=True)
    check("key of other letters", (wide.set("schl\u00fcssel", "x"), wide.get("schl\u00fcssel")), (True, b"x"))
    prefixed = connect(key_prefix=b"pre:")
    check("prefix", (prefixed.set("a", "x"), prefixed.get("a"), client.get("pre:a")), (True, b"x", b"x"))
    objects = connect(serde=serde.pickle_serde)
    for name, value in {"text": "\u00fc", "int": 7, "long": 2**70, "dict": {"list": [1, None]}, "bytes": b"\0\xff"}.items():
        check(f"kind {name}", (objects.set(name, value), objects.get(name)), (True, value))
    done("set get add replace append prepend delete, kinds of values, keys of 250 bytes, prefix")


def counting(client):
    client.set("n", "10")
    check("incr", client.incr("n", 5), 15)
    check("decr", client.decr("n", 20), 0)
    check("incr to the end", (client.set("n", str(2**64 - 2)), client.incr("n", 1), client.incr("n", 1)), (True, 2**64 - 1, 0))
    check("incr, absent", client.incr("none", 1), None)
    client.set("word", "word")
    refused("incr of a word", MemcacheClientError, lambda: client.incr("word", 1))
    check("alive after that", client.get("word"), b"word")
    done("incr decr")


def many(client):
    items = {f"m{i}": f"value {i}".encode() for i in range(500)}
    check("set_many", client.set_many(items, expire=100), [])
    check("get_many", client.get_many([*items, "nothing"]), items)
    check("gets_many", {key: value for key, (value, _) in client.gets_many(list(items)).items()}, items)
    check("delete_many", client.delete_many(list(items)), True)
    check("get_many of what is gone", client.get_many(list(items)), {})
    done("set_many get_many gets_many delete_many, 500 items")


def cas(client):
    client.set("c", "one")
    value, unique = client.gets("c")
    check("gets", value, b"one")
    check("cas", client.cas("c", "two", unique), True)
    check("cas, used before", client.cas("c", "three", unique), False)
    check("cas, absent", client.cas("nothing", "three", unique), None)
    check("value after cas", client.get("c"), b"two")

    client.set("sum", "0")
    client.set("count", "0")
    retries = []

    def add_up():
        own = connect()
        for _ in range(50):
            while True:
                seen, its_unique = own.gets("sum")
                if own.cas("sum", str(int(seen) + 1), its_unique):
                    break
                retries.append(1)
            own.incr("count", 2)

    threads = [threading.Thread(target=add_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("sum of cas", client.get("sum"), b"300")
    check("sum of incr", client.get("count"), b"600")
    done("gets cas; 6 threads add up to 300 by cas and to 600 by incr")


def sizes(client):
    check("set of 900 KB", (client.set("big", NOISE), client.get("big") == NOISE), (True, True))
    check("set_many of 900 KB", client.set_many({f"big{i}": NOISE for i in range(10)}), [])
    found = client.get_many([f"big{i}" for i in range(10)])
    check("get_many of 900 KB", (len(found), all(value == NOISE for value in found.values())), (10, True))
    packed = connect(serde=Compressed)
    text = b"compressible " * 50_000
    check("compressed", (packed.set("packed", text), packed.get("packed") == text, len(client.get("packed")) < 10_000), (True, True, True))
    refused("set of 2 MB", MemcacheServerError, lambda: client.set("large", NOISE * 2 + NOISE))
    check("alive after that", client.get("big") == NOISE, True)
    done("900 KB values, alone and ten at once; compressed value; too large refused")


def time(client):
    # Two seconds: the first may be over at once, as seconds of the clock count.
    check("touch", client.set("touched", "x", expire=2) and client.touch("touched", 100), True)
    check("set with time", client.set("short", "x", expire=2), True)
    check("touch, absent", client.touch("nothing", 100), False)
    soon("expiry", lambda: client.get("short") is None)
    check("outlived by touch", client.get("touched"), b"x")
    check("gone at once", (client.touch("touched", -1), client.get("touched")), (True, None))
    done("expiry, touch")


def modes():
    quiet = connect(default_noreply=True)
    for i in range(500):
        quiet.set(f"q{i}", str(i))
    quiet.delete("q0")
    quiet.incr("q1", 9, noreply=True)
    quiet.append("q2", "!")
    quiet.touch("q3", 100)
    quiet.set_many({f"qm{i}": "x" for i in range(500)})
    check("after noreply", [quiet.get(key) for key in ("q0", "q1", "q2", "q3", "q499")], [None, b"10", b"2!", b"3", b"499"])
    check("set_many, noreply", len(quiet.get_many([f"qm{i}" for i in range(500)])), 500)
    quiet.close()

    pool = PooledClient(servers[0], max_pool_size=4, timeout=10, default_noreply=False)
    failures = []

    def use_pool(number):
        for i in range(100):
            pool.set(f"p{number}-{i}", str(i))
            if pool.get(f"p{number}-{i}") != str(i).encode():
                failures.append((number, i))

    threads = [threading.Thread(target=use_pool, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("through a pool", failures, [])

    client = connect()
    for _ in range(20):
        client.close()
        check("after connecting again", client.get("q499"), b"499")
    done("noreply, 4 threads on a pool of connections, connected anew")


def distributed():
    both = HashClient(servers, timeout=10, default_noreply=False)
    items = {f"d{i}": str(i).encode() for i in range(1000)}
    check("set_many over two", both.set_many(items), [])
    check("get_many over two", both.get_many(list(items)), items)
    shares = [len(connect(server).get_many(list(items))) for server in servers]
    check("each item on one server", sum(shares), 1000)
    check("both take part", min(shares) > 200, True)
    done(f"two servers with rendezvous hashing, {' and '.join(map(str, shares))} items")


def administration(client):
    check("version", client.version().startswith(b"1.6."), True)
    check("stats", {b"pid", b"curr_items", b"cmd_get"} <= set(client.stats()), True)
    # It knows how to read these values: numbers and booleans.
    check("stats settings", client.stats("settings")[b"item_size_max"], 2**20)
    client.set("a", "x")
    check("flush_all", (client.flush_all(), client.get("a")), (True, None))
    client.set("a", "x")
    check("flush_all, later", (client.flush_all(delay=2), client.get("a")), (True, b"x"))
    soon("flush_all, later", lambda: client.get("a") is None)
    client.quit()
    done("version, stats, stats settings, flush_all now and later, quit")


client = connect()
if phase == "use":
    for server in servers:
        connect(server).flush_all()
    for part in (storage, counting, many, cas, sizes, time):
        part(client)
    modes()
    distributed()
    administration(connect())
    client.set("kept", "value", expire=1000)
    client.set("kept-big", NOISE)
    client.set("kept-number", "41")
    HashClient(servers, default_noreply=False).set_many({f"kept{i}": str(i) for i in range(100)})
    done("left items behind")
else:
    check("item after restart", client.get("kept"), b"value")
    check("900 KB after restart", client.get("kept-big") == NOISE, True)
    check("incr after restart", client.incr("kept-number", 1), 42)
    found = HashClient(servers).get_many([f"kept{i}" for i in range(100)])
    check("two servers after restart", found, {f"kept{i}": str(i).encode() for i in range(100)})
    done("everything is there after a restart")
