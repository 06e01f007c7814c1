"""Framing: line ends, the length of lines, and lines that arrive in parts."""
import json
import random
import time

from suite import case
from wire import Closed, is_error, is_result, request


@case("framing: CR LF ends a line")
def _(service):
    with service.peer() as peer:
        peer.send(request("service.info").strip() + b"\r\n")
        is_result(peer.reply())


@case("framing: blank lines are skipped")
def _(service):
    with service.peer() as peer:
        peer.send(b"\n\r\n  \n\t\n \t\r\n" + request("service.info") + b"\n\n")
        is_result(peer.reply())
        assert peer.is_silent()


@case("framing: white space around a message is ignored")
def _(service):
    with service.peer() as peer:
        peer.send(b"  \t" + request("service.info").strip() + b" \t \r\n")
        is_result(peer.reply())


@case("framing: a CR within a line is white space between tokens")
def _(service):
    with service.peer() as peer:
        peer.send(b'{"jsonrpc":"2.0",\r"id":1,"method":"service.info"}\n')
        is_result(peer.reply())


@case("framing: a line that arrives byte by byte is answered")
def _(service):
    with service.peer() as peer:
        for byte in request("service.info"):
            peer.send(bytes([byte]))
        is_result(peer.reply())


@case("framing: many lines at once are all answered")
def _(service):
    with service.peer() as peer:
        peer.send(b"".join(request("service.info", id=number) for number in range(30)))
        assert {peer.reply()["id"] for _ in range(30)} == set(range(30))


@case("framing: the same stream gets the same replies, however it is split")
def _(service):
    lines = [request("service.info", id="a"), b"nonsense\n", b"\n", b"[1]\n", request("none", id="b"), b'{"a":1,"a":2}\r\n',
             "{\"jsonrpc\":\"2.0\",\"id\":\"é中😀\",\"method\":\"none\"}\n".encode(), b'"\xff"\n', b"[]\n"]
    stream = b"".join(lines)
    chance = random.Random(7)
    expected = None
    for _ in range(12):
        with service.peer() as peer:
            at = 0
            while at < len(stream):
                length = chance.choice((1, 2, 3, 5, 17, len(stream)))
                peer.send(stream[at:at + length])
                at += length
            peer.end()
            replies = sorted(json.dumps(reply, sort_keys=True) for reply in peer.replies())
        expected = expected or replies
        assert len(replies) == 8 and replies == expected, f"{len(replies)} replies"


def _padded(length):
    line = request("service.info").strip()
    return line[:-1] + b" " * (length - len(line)) + b"}"


@case("framing: a line of the maximum length is accepted")
def _(service):
    with service.peer() as peer:
        peer.send(_padded(service.limits["lineBytes"]) + b"\n")
        is_result(peer.reply())


@case("framing: a line of one byte more is discarded, and the connection stays open")
def _(service):
    limit = service.limits["lineBytes"]
    with service.peer() as peer:
        peer.send(_padded(limit + 1) + b"\n" + request("service.info", id="next"))
        is_error(peer.reply(), -32600, "line-too-long", limit=limit)
        is_result(peer.reply(), "next")


@case("framing: a line of many times the limit is discarded to its end and gets one error")
def _(service):
    limit = service.limits["lineBytes"]
    with service.peer() as peer:
        for _ in range(5):
            peer.send(b"x" * limit)
        peer.send(b"\n" + request("service.info", id="next"))
        is_error(peer.reply(), -32600, "line-too-long")
        is_result(peer.reply(), "next")


@case("framing: ten lines that are too long get ten errors, and the connection stays open")
def _(service):
    with service.peer() as peer:
        for _ in range(10):
            peer.send(b"y" * (service.limits["lineBytes"] + 1) + b"\n")
            is_error(peer.reply(), -32600, "line-too-long")
        is_result(peer.ask("service.info"))


@case("framing: bytes after the last line end are not run and get an error at the end")
def _(service):
    with service.peer() as peer:
        peer.send(request("service.info", id="whole") + request("service.info", id="part").strip())
        peer.end()
        replies = sorted(peer.replies(), key=lambda reply: reply["id"] is None)
        assert len(replies) == 2, replies
        is_result(replies[0], "whole")
        is_error(replies[1], -32600, "invalid-request")


@case("framing: white space after the last line end is ignored")
def _(service):
    with service.peer() as peer:
        peer.send(request("service.info") + b" \t\r")
        peer.end()
        assert len(peer.replies()) == 1


@case("framing: a connection that ends without a message gets no reply")
def _(service):
    with service.peer() as peer:
        peer.end()
        assert peer.replies() == []


@case("framing: after the end of sending, the service answers what is in flight and closes")
def _(service):
    job = service.done()["id"]
    with service.peer() as peer:
        peer.send(b"".join(request("export.get", {"actor": service.actor, "job": job}, number) for number in range(20)))
        peer.send(request("export.read", {"actor": service.actor, "job": job, "offset": 0, "length": 524_288}, "large"))
        peer.end()
        replies = peer.replies()
        assert {reply["id"] for reply in replies} == {*range(20), "large"}
        assert all("result" in reply for reply in replies)


@case("framing: a line that is not complete in time gets an error and ends the connection")
def _(service):
    seconds = service.wait_is_short("partialLineMs")
    with service.peer() as peer:
        peer.send(b'{"jsonrpc":"2.0",')
        start = time.monotonic()
        is_error(peer.reply(seconds + 5), -32600, "invalid-request")
        assert peer.is_closed(5), "the connection is still there"
        assert time.monotonic() - start > seconds * 0.5, "it was closed too early"


@case("framing: an endless line that arrives byte by byte ends the connection")
def _(service):
    seconds = service.wait_is_short("partialLineMs")
    with service.peer() as peer:
        end = time.monotonic() + seconds + 5
        try:
            while time.monotonic() < end:
                peer.send(b" x")
                time.sleep(0.05)
        except Closed:
            return
        raise AssertionError("the connection is still there")


@case("framing: an idle connection stays open and is answered later")
def _(service):
    seconds = service.wait_is_short("partialLineMs")
    with service.peer() as peer:
        time.sleep(seconds + 0.7)
        is_result(peer.ask("service.info"))


def _divided(name, framing, stream):
    """Adds a case of messages that are not lines: the service sends one error at once and none at the end, and serves a line."""
    def body(service):
        with service.peer() as peer:
            peer.send(stream)
            is_error(peer.reply(), -32600, "invalid-request", framing=framing)
            peer.end()
            assert peer.replies() == []
        with service.peer() as peer:
            for byte in stream:
                peer.send(bytes([byte]))
            peer.send(b"\n" + request("service.info", id="next"))
            is_error(peer.reply(), -32600, "invalid-request", framing=framing)
            reply = peer.reply()
            if reply["id"] == 1:
                # After its header, the message was a line.
                is_result(reply)
                reply = peer.reply()
            is_result(reply, "next")
    case(f"framing: {name} gets one error")(body)


_message = request("service.info").strip()
_header = b"Content-Length: %d\r\n\r\n" % len(_message)
_divided("a header", "headers", _header + _message)
_divided("a header before each message", "headers", (_header + _message) * 3)
_divided("another header first", "headers", b"content-type: application/json\r\n" + _header + _message)
_divided("HTTP", "headers", b"POST /rpc HTTP/1.1\r\nHost: localhost\r\n" + _header + _message)
_divided("a NUL after a message", "nul", _message + b"\0")
_divided("a NUL after each message", "nul", (_message + b"\0") * 3)
_divided("a length of four bytes in big-endian order", "nul", len(_message).to_bytes(4, "big") + _message)
_divided("a length of four bytes in little-endian order", "length-prefix", len(_message).to_bytes(4, "little") + _message)
_divided("a netstring", "netstring", b"%d:%b," % (len(_message), _message))
_divided("a stream of netstrings", "netstring", b"%d:%b," % (len(_message), _message) * 3)
_divided("a stream of netstrings in lines", "netstring", b"%d:%b,\n" % (len(_message), _message) * 3)
_divided("a record separator", "record-separator", b"\x1e" + _message + b"\n\x1e" + _message)


@case("framing: each message over several lines gets one error, and a whole request is served")
def _(service):
    pretty = json.dumps(json.loads(_message), indent=2)
    for end in ("\n", "\r\n"):
        stream = pretty.replace("\n", end) + end
        with service.peer() as peer:
            peer.send(stream.encode() * 2 + request("service.info", id="next"))
            is_error(peer.reply(), -32700, "parse-error")
            is_error(peer.reply(), -32700, "parse-error")
            is_result(peer.reply(), "next")
            assert peer.is_silent()


@case("framing: a batch over several lines gets an error, and a whole request in it is served")
def _(service):
    with service.peer() as peer:
        peer.send(b"[\n" + request("service.info", id="in") + b"]\n" + request("service.info", id="next"))
        replies = [peer.reply() for _ in range(4)]
        # The first error is for the line with the opening bracket, the second for the line that closes it after the request.
        assert sorted(str(reply["id"]) for reply in replies) == ["None", "None", "in", "next"], replies
        for reply in replies:
            is_result(reply, reply["id"]) if reply["id"] else is_error(reply, -32700, "parse-error")


@case("framing: after an endless message over several lines, a whole request is served")
def _(service):
    with service.peer() as peer:
        peer.send(b"{\n" * 500 + b'"a": [1,\n' * 500 + request("service.info", id="next"))
        is_error(peer.reply(), -32700, "parse-error")
        is_result(peer.reply(), "next")


for _name, _bytes in [("a TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(range(200))),
                      ("an HTTP request", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
                      ("a Content-Length header", b"Content-Length: 20\r\n\r\n" + request("service.info")),
                      ("random bytes", random.Random(1).randbytes(60_000)),
                      ("NUL bytes", bytes(10_000)), ("line ends", b"\n" * 100_000), ("terminal escapes", b"\x1b[2J\x1b]0;x\x07\n")]:
    def _foreign(service, data=_bytes):
        with service.peer() as peer:
            peer.send(data + b"\n" + request("service.info", id="next"))
            reply = peer.reply()
            while isinstance(reply, list) or reply["id"] != "next":
                reply = peer.reply()
            is_result(reply, "next")
    case(f"framing: {_name} instead of a message")(_foreign)
