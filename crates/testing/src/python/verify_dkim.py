"""Verifies DKIM signatures: JSON in, JSON out."""

import base64
import json
import sys

import dkim

asked = json.load(sys.stdin)
records = dict(asked["records"])


def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return records.get(name.rstrip("."))


def verify(message):
    try:
        return {"valid": dkim.DKIM(message).verify(dnsfunc=txt)}
    except Exception as error:  # what is malformed raises anything
        return {"valid": False, "error": str(error)}


json.dump([verify(base64.b64decode(message)) for message in asked["messages"]], sys.stdout)
