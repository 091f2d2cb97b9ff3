"""What the Python scripts share: assertions that say what they compared, and waiting for expiry."""

import sys
import time


def check(what, actual, expected):
    if actual != expected:
        sys.exit(f"{what}: {short(actual)} instead of {short(expected)}")


def refused(what, error, act):
    """Checks that a call raises this error."""
    try:
        result = act()
    except error:
        return
    sys.exit(f"{what}: {short(result)} instead of {error.__name__}")


def soon(what, probe):
    """Waits for what no server announces: that a second has passed."""
    end = time.monotonic() + 5
    while not probe():
        if time.monotonic() > end:
            sys.exit(f"{what}: did not happen")
        time.sleep(0.05)


def done(what):
    print(f"ok {what}", flush=True)


def short(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)} characters)"
