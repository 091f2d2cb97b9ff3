"""pymemcache with TLS and passwords: pymemcache_secured.py PORT CA CERTIFICATE KEY USER PASSWORD"""

import ssl
import sys

from check import check, done, refused
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError

port, ca, certificate, key, user, password = sys.argv[1:]
BIG = bytes((i * i * 7919 >> 7) & 255 for i in range(900_000))


def connect(authorities=ca, known=True):
    context = ssl.create_default_context(cafile=authorities)
    if known:
        context.load_cert_chain(certificate, key)
    return Client(("127.0.0.1", int(port)), tls_context=context, default_noreply=False, timeout=10)


def log_in(secret):
    """It knows no authentication, but any set will do."""
    client = connect()
    client.set("login", f"{user} {secret}")
    return client


refused("no certificate", (ssl.SSLError, OSError, EOFError), lambda: connect(known=False).get("a"))
refused("a server of an unknown authority", ssl.SSLCertVerificationError, lambda: connect(authorities=None).get("a"))
refused("no password", MemcacheClientError, lambda: connect().get("a"))
refused("wrong password", MemcacheClientError, lambda: log_in("wrong"))
done("refused without certificate, authority or password")

client = log_in(password)
check("set", client.set("a", "one"), True)
check("get", client.get("a"), b"one")
check("set of 900 KB", (client.set("big", BIG), client.get("big") == BIG), (True, True))
items = {f"m{i}": str(i).encode() for i in range(500)}
check("set_many", client.set_many(items), [])
check("get_many", client.get_many(list(items)), items)
check("stats settings", client.stats("settings")[b"ssl_enabled"], b"yes")
done("set get set_many get_many stats behind text authentication over TLS")
