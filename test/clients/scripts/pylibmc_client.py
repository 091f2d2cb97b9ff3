"""pylibmc against two servers: pylibmc_client.py use|again text|binary PORT PORT"""

import sys
import threading

import pylibmc
from check import check, done, refused, soon

phase, protocol, *ports = sys.argv[1:]
servers = [f"127.0.0.1:{port}" for port in ports]
binary = protocol == "binary"
BIG = bytes(range(256)) * 3600  # 900 KiB, of which zlib makes little
NOISE = bytes((i * i * 7919 >> 7) & 255 for i in range(900_000))
LONG_KEY = "k" * 250


def connect(names=servers[:1], **behaviors):
    return pylibmc.Client(names, binary=binary, behaviors={"tcp_nodelay": True, "cas": True, **behaviors})


def or_absent(act):
    """The two protocols tell in two ways that a key is not there."""
    try:
        return act()
    except pylibmc.NotFound:
        return False


def storage(client):
    check("set", client.set("a", "one"), True)
    check("get", client.get("a"), "one")
    check("add, present", client.add("a", "two"), False)
    check("add, absent", client.add("b", "two"), True)
    check("replace, present", client.replace("a", "three"), True)
    check("replace, absent", or_absent(lambda: client.replace("nothing", "x")), False)
    check("append", client.append("a", "!"), True)
    check("prepend", client.prepend("a", "?"), True)
    check("joined", client.get("a"), "?three!")
    check("delete", client.delete("a"), True)
    check("delete, absent", client.delete("a"), False)
    check("get, absent", client.get("a"), None)
    check("empty value", (client.set("empty", ""), client.get("empty")), (True, ""))
    check("bytes", (client.set("bytes", b"\0\r\n\xff"), client.get("bytes")), (True, b"\0\r\n\xff"))
    check("object", (client.set("object", {"list": [1, 2.5, None]}), client.get("object")), (True, {"list": [1, 2.5, None]}))
    check("long key", (client.set(LONG_KEY, "long"), client.get(LONG_KEY)), (True, "long"))
    done("set get add replace append prepend delete, kinds of values, keys of 250 bytes")


def counting(client):
    client.set("n", 10)
    check("incr", client.incr("n", 5), 15)
    check("decr", client.decr("n", 20), 0)
    client.set("n", 2**32)
    check("incr beyond 32 bits", client.incr("n", 1), 2**32 + 1)
    client.delete("none")
    refused("incr, absent", pylibmc.NotFound, lambda: client.incr("none"))
    check("number as item", client.get("n"), 2**32 + 1)
    client.set_multi({"n1": 1, "n2": 2})
    client.incr_multi(["n1", "n2"], delta=10)
    check("incr_multi", client.get_multi(["n1", "n2"]), {"n1": 11, "n2": 12})
    done("incr decr incr_multi")


def many(client):
    items = {f"m{i}": f"value {i}" for i in range(500)}
    check("set_multi", client.set_multi(items, time=100), [])
    check("get_multi", client.get_multi([*items, "nothing"]), items)
    check("get_multi with prefix", client.get_multi(["1", "2"], key_prefix="m"), {"1": "value 1", "2": "value 2"})
    check("add_multi", sorted(client.add_multi({"m1": "x", "new1": "y"})), ["m1"])
    check("delete_multi", client.delete_multi(list(items)), True)
    check("get_multi of what is gone", client.get_multi(list(items)), {})
    done("set_multi get_multi add_multi delete_multi, 500 items")


def cas(client):
    client.set("c", "one")
    value, unique = client.gets("c")
    check("gets", value, "one")
    check("cas", client.cas("c", "two", unique), True)
    check("cas, used before", client.cas("c", "three", unique), False)
    check("value after cas", client.get("c"), "two")
    check("gets, absent", client.gets("nothing"), (None, None))

    client.set("sum", "0")
    retries = []

    def add_up():
        own = connect()
        for _ in range(50):
            while True:
                seen, its_unique = own.gets("sum")
                # Behind a cas that was refused its gets finds nothing now and then, also with memcached.
                if seen is not None and own.cas("sum", str(int(seen) + 1), its_unique):
                    break
                retries.append(1)

    threads = [threading.Thread(target=add_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("sum of cas", client.get("sum"), "300")

    client.set("count", 0)

    def count_up():
        own = connect()
        for _ in range(100):
            own.incr("count")

    threads = [threading.Thread(target=count_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("sum of incr", client.get("count"), 600)
    done(f"gets cas; 6 threads add up to 300 by cas (some {len(retries) // 10 * 10} retries) and to 600 by incr")


def sizes(client):
    check("set of 900 KB", client.set("big", NOISE), True)
    check("get of 900 KB", client.get("big") == NOISE, True)
    check("compressed", client.set("packed", BIG, min_compress_len=1000), True)
    check("decompressed", client.get("packed") == BIG, True)
    check("set_multi, compressed", client.set_multi({f"packed{i}": BIG for i in range(20)}, min_compress_len=1000), [])
    check("get_multi, compressed", all(value == BIG for value in client.get_multi([f"packed{i}" for i in range(20)]).values()), True)
    check("set_multi of 900 KB", client.set_multi({f"big{i}": NOISE for i in range(10)}), [])
    found = client.get_multi([f"big{i}" for i in range(10)])
    check("get_multi of 900 KB", (len(found), all(value == NOISE for value in found.values())), (10, True))
    refused("set of 2 MB", pylibmc.Error, lambda: client.set("large", NOISE + NOISE + NOISE))
    check("alive after that", connect().get("big") == NOISE, True)
    done("900 KB values, alone and ten at once; compressed values; too large refused")


def time(client):
    # Two seconds: the first may be over at once, as seconds of the clock count.
    check("touch", client.set("touched", "x", time=2) and client.touch("touched", 100), True)
    check("set with time", client.set("short", "x", time=2), True)
    check("touch, absent", or_absent(lambda: client.touch("nothing", 100)), False)
    soon("expiry", lambda: client.get("short") is None)
    check("outlived by touch", client.get("touched"), "x")
    check("gone at once", (client.touch("touched", 2_592_001), client.get("touched")), (True, None))
    done("expiry, touch")


def modes():
    quiet = connect(_noreply=True)
    for i in range(100):
        quiet.set(f"q{i}", i)
    quiet.delete("q0")
    # Only what is asked with an answer on the same connection is sure to come behind it.
    quiet.set_behaviors({"_noreply": False})
    check("after noreply", (quiet.get("q0"), quiet.get("q99")), (None, 99))

    unblocked = connect(no_block=True)
    for i in range(200):
        unblocked.set(f"b{i}", i)
    check("without blocking", len(unblocked.get_multi([f"b{i}" for i in range(200)])), 200)

    for _ in range(20):
        client.disconnect_all()
        check("after connecting again", client.get("q99"), 99)
    pool = pylibmc.ThreadMappedPool(client)
    with pool.reserve() as pooled:
        check("through a pool", pooled.get("q99"), 99)
    done("noreply, without blocking, connected anew, pooled")


def distributed():
    both = connect(servers, ketama=True)
    items = {f"d{i}": i for i in range(1000)}
    check("set_multi over two", both.set_multi(items), [])
    check("get_multi over two", both.get_multi(list(items)), items)
    shares = [len(connect([server]).get_multi(list(items))) for server in servers]
    check("each item on one server", sum(shares), 1000)
    check("both take part", min(shares) > 200, True)
    check("delete_multi over two", both.delete_multi(list(items)), True)
    check("stats of two", [text(name).split()[0] for name, _ in both.get_stats()], servers)
    done(f"two servers with ketama, {' and '.join(map(str, shares))} items")


def administration(client):
    ((_, stats),) = client.get_stats()
    check("stats", {"pid", "version", "curr_items", "cmd_get"} <= {text(name) for name in stats}, True)
    client.set("a", "x")
    check("flush_all", (client.flush_all(), client.get("a")), (True, None))
    done("stats, flush_all")


def text(name):
    return name.decode() if isinstance(name, bytes) else name


client = connect()
if phase == "use":
    connect(servers).flush_all()
    for part in (storage, counting, many, cas, sizes, time):
        part(client)
    modes()
    distributed()
    administration(client)
    client.set("kept", {"value": 1}, time=1000)
    client.set("kept-big", NOISE)
    client.set("kept-number", 41)
    check("items over two", connect(servers, ketama=True).set_multi({f"kept{i}": i for i in range(100)}), [])
    done("left items behind")
else:
    check("item after restart", client.get("kept"), {"value": 1})
    check("900 KB after restart", client.get("kept-big") == NOISE, True)
    check("incr after restart", client.incr("kept-number"), 42)
    check("two servers after restart", connect(servers, ketama=True).get_multi([f"kept{i}" for i in range(100)]), {f"kept{i}": i for i in range(100)})
    done("everything is there after a restart")
