"""Reads messages from standard input, each preceded by its length and a line feed; prints what the email package makes of them."""

import base64
import email
import email.policy
import json
import sys
from email.header import decode_header, make_header
from email.utils import getaddresses

# Longer lines than any, so that nothing is refolded on the way to us.
POLICY = email.policy.SMTPUTF8.clone(max_line_length=0)


def messages(stream):
    while length := stream.readline():
        yield stream.read(int(length))


def text(value):
    """UTF-8 that stood in a header as it is (RFC 6532) comes as surrogates."""
    return None if value is None else str(value).encode("utf-8", "surrogateescape").decode("utf-8")


def part(message, depth):
    found = {
        "type": message.get_content_type(),
        "disposition": message.get_content_disposition(),
        "filename": text(message.get_filename()),
        "content_id": text(message["content-id"]),
        "charset": message.get_content_charset(),
        "depth": depth,
        "encoding": text(message["content-transfer-encoding"]),
    }
    container = message.get_content_maintype() == "multipart"
    if not container:
        octets = message.get_payload(0).as_bytes() if message.is_multipart() else message.get_payload(decode=True)
        found["content"] = base64.b64encode(octets).decode()
    yield found
    if container:
        for child in message.iter_parts():
            yield from part(child, depth + 1)


def defects(message):
    for _, value in message.items():
        yield from (repr(defect) for defect in getattr(value, "defects", []))
    yield from (repr(defect) for defect in message.defects)
    if message.is_multipart():
        for child in message.iter_parts():
            yield from defects(child)


def people(raw):
    """By the older parser: the newer one puts a space between the encoded words of a name, and takes quotes off that an address needs."""
    unfolded = raw.replace("\r\n", "").encode("utf-8", "surrogateescape").decode("utf-8")
    return [[str(make_header(decode_header(name))), address] for name, address in getaddresses([unfolded])]


def read(octets):
    message = email.message_from_bytes(octets, policy=POLICY)
    raw = dict(message.raw_items())
    return {
        "headers": [[name, text(value)] for name, value in message.items()],
        "addresses": {name: people(raw[name]) for name, value in message.items() if hasattr(value, "addresses")},
        "parts": list(part(message, 0)),
        "defects": list(defects(message)),
    }


print(json.dumps([read(octets) for octets in messages(sys.stdin.buffer)]))
