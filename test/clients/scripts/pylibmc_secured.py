"""pylibmc with SASL, which has no TLS: pylibmc_secured.py PORT USER PASSWORD"""

import sys

import pylibmc
from check import check, done, refused

port, user, password = sys.argv[1:]


def connect(**options):
    return pylibmc.Client([f"127.0.0.1:{port}"], binary=True, behaviors={"tcp_nodelay": True}, **options)


refused("no password", pylibmc.Error, lambda: connect().set("a", "x"))
refused("wrong password", pylibmc.Error, lambda: connect(username=user, password="wrong").set("a", "x"))
done("refused without password")

client = connect(username=user, password=password)
check("set", client.set("a", "one"), True)
check("get", client.get("a"), "one")
items = {f"m{i}": i for i in range(500)}
check("set_multi", client.set_multi(items), [])
check("get_multi", client.get_multi(list(items)), items)
done("set get set_multi get_multi behind SASL")
