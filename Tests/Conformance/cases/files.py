"""Workbooks as open files, and in parts."""
import base64
import fcntl
import hashlib
import json
import os
import socket
import stat

from suite import case
from wire import Peer, is_error, is_result, request


def _open(peer, service, **params):
    """Opens the workbook, and returns the result and its descriptor."""
    result = peer.result("export.open", {"actor": service.actor, "job": service.done()["id"], **params})
    assert len(peer.descriptors) == 1 and result["fd"] == 0, f"{len(peer.descriptors)} descriptors"
    return result, peer.descriptors.pop()


def _content(descriptor):
    with open(descriptor, "rb") as file:
        return file.read()


def _parts(peer, service, length=524_288):
    content, params = b"", {"actor": service.actor, "job": service.done()["id"], "length": length}
    while True:
        part = peer.result("export.read", {**params, "offset": len(content)})
        assert part["offset"] == len(content) and part["size"] == service.done()["size"]
        content += base64.b64decode(part["data"], validate=True)
        if part["eof"]:
            return content


@case("files: a pipe delivers the whole workbook as described")
def _(service):
    with service.peer() as peer:
        result, descriptor = _open(peer, service)
        assert stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_NONBLOCK) == os.O_RDONLY
        content, job = _content(descriptor), service.done()
        assert len(content) == result["size"] == job["size"]
        assert hashlib.sha256(content).hexdigest() == result["sha256"] == job["sha256"]
        assert result["fileName"] == job["fileName"] and content[:4] == b"PK\x03\x04"
        assert set(result) == {"size", "sha256", "archiveSize", "fileName", "fd"}


@case("files: encoding identity is the default")
def _(service):
    with service.peer() as peer:
        one, two = (_content(_open(peer, service, **params)[1]) for params in ({}, {"encoding": "identity", "offset": 0}))
        assert one == two


for _name, _offset in [("1", lambda size: 1), ("the middle", lambda size: size // 2), ("the last byte", lambda size: size - 1),
                       ("the end", lambda size: size)]:
    def _from(service, offset=_offset):
        with service.peer() as peer:
            whole = _content(_open(peer, service)[1])
            at = offset(len(whole))
            result, descriptor = _open(peer, service, offset=at)
            assert result["size"] == len(whole) and _content(descriptor) == whole[at:]
    case(f"files: a pipe from {_name}")(_from)


@case("files: an offset past the end is refused, and passes no file")
def _(service):
    with service.peer() as peer:
        for offset in (service.done()["size"] + 1, 9_007_199_254_740_991):
            reply = peer.ask("export.open", {"actor": service.actor, "job": service.done()["id"], "offset": offset})
            is_error(reply, -32602, id=1, param="offset")
        is_result(peer.ask("service.info"))
        assert not peer.descriptors


@case("files: the archive is a read-only file")
def _(service):
    with service.peer() as peer:
        result, descriptor = _open(peer, service, encoding="zstd")
        status = os.fstat(descriptor)
        assert stat.S_ISREG(status.st_mode) and status.st_size == result["archiveSize"]
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0, "the offset of the descriptor is not 0"
        try:
            os.write(descriptor, b"x")
        except OSError:
            pass
        else:
            raise AssertionError("the descriptor can be written")
        assert _content(descriptor)[:4] == b"\x28\xb5\x2f\xfd", "the content is not a Zstandard frame"


@case("files: each descriptor of an archive has its own offset")
def _(service):
    with service.peer() as peer:
        (_, one), (_, two) = _open(peer, service, encoding="zstd"), _open(peer, service, encoding="zstd")
        os.read(one, 10)
        assert os.lseek(two, 0, os.SEEK_CUR) == 0
        os.close(one)
        os.close(two)


@case("files: an archive accepts no offset")
def _(service):
    with service.peer() as peer:
        reply = peer.ask("export.open", {"actor": service.actor, "job": service.done()["id"], "encoding": "zstd", "offset": 1})
        is_error(reply, -32602, id=1, param="offset")
        assert not peer.descriptors


@case("files: with many concurrent opens and other requests, descriptors come in the order of their replies")
def _(service):
    size = service.done()["size"]
    with service.peer() as peer:
        lines, offsets = [], {}
        for number in range(12):
            offsets[number] = number * (size // 12)
            params = {"actor": service.actor, "job": service.done()["id"], "offset": offsets[number]}
            lines += [request("export.open", params, number), request("none", id=f"n{number}"),
                      request("export.get", {"actor": service.actor, "job": service.done()["id"]}, f"g{number}")]
        peer.send(b"".join(lines))
        for _ in range(36):
            reply = peer.reply()
            if isinstance(reply["id"], int):
                is_result(reply, reply["id"])
                # Several replies may arrive together. The first remaining descriptor belongs to this reply.
                length = len(_content(peer.descriptors.pop(0)))
                assert length == size - offsets[reply["id"]], f"the descriptor of another reply: {length} bytes"
        assert not peer.descriptors


@case("files: an error does not consume the descriptor of a later reply")
def _(service):
    with service.peer() as peer:
        params = {"actor": service.actor, "job": service.done()["id"]}
        peer.send(request("export.open", {**params, "offset": -1}, 1) + request("export.open", params, 2)
                  + request("export.open", {**params, "job": "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"}, 3)
                  + request("export.open", params, 4))
        replies = {reply["id"]: reply for reply in (peer.reply() for _ in range(4))}
        is_error(replies[1], -32602, id=1)
        is_error(replies[3], 1002, id=3)
        assert len(peer.descriptors) == 2


@case("files: pipes that the reader closes early")
def _(service):
    with service.peer() as peer:
        for number in range(60):
            _, descriptor = _open(peer, service)
            if number % 2:
                os.read(descriptor, 100)
            os.close(descriptor)


@case("files: callers that close the connection before they receive their file")
def _(service):
    for _ in range(30):
        with Peer(service.path) as peer:
            peer.send(request("export.open", {"actor": service.actor, "job": service.done()["id"]}))


@case("files: two hundred opens leak no descriptor in this process")
def _(service):
    with service.peer() as peer:
        _content(_open(peer, service)[1])
        before = len(os.listdir("/proc/self/fd"))
        for number in range(200):
            _content(_open(peer, service, encoding=("identity", "zstd")[number % 2])[1])
        assert len(os.listdir("/proc/self/fd")) == before


@case("files: a workbook that is deleted while it is read can be read to its end")
def _(service):
    job = service.fresh()
    params = {"actor": service.actor, "job": job["id"]}
    with service.peer() as peer:
        peer.result("export.open", params)
        peer.result("export.open", {**params, "encoding": "zstd"})
        pipe, archive = peer.descriptors.pop(0), peer.descriptors.pop(0)
        assert peer.result("export.delete", params)["job"]["state"] == "expired"
        assert hashlib.sha256(_content(pipe)).hexdigest() == job["sha256"]
        assert _content(archive)[:4] == b"\x28\xb5\x2f\xfd"


@case("files: parts of any length have the same bytes as the pipe")
def _(service):
    with service.peer() as peer:
        whole = _content(_open(peer, service)[1])
        for length in (524_288, 1_000, 777):
            assert _parts(peer, service, length) == whole


@case("files: a part past the end is empty")
def _(service):
    with service.peer() as peer:
        for offset in (service.done()["size"], service.done()["size"] + 1, 9_007_199_254_740_991):
            part = peer.result("export.read", {"actor": service.actor, "job": service.done()["id"], "offset": offset, "length": 1})
            assert part == {"offset": offset, "data": "", "size": service.done()["size"], "eof": True}


@case("files: a part with the last byte reports the end")
def _(service):
    with service.peer() as peer:
        size = service.done()["size"]
        part = peer.result("export.read", {"actor": service.actor, "job": service.done()["id"], "offset": size - 1, "length": 9})
        assert part["eof"] and len(base64.b64decode(part["data"])) == 1


for _method, _more in (("export.open", {}), ("export.open", {"encoding": "zstd"}), ("export.read", {"offset": 0, "length": 1}), ("export.receipt", {})):
    def _denied(service, method=_method, more=_more):
        with service.peer() as peer:
            for actor in (service.without, {**service.actor, "administrator": "none@none.example"}):
                reply = peer.ask(method, {"actor": actor, "job": service.done()["id"], **more})
                is_error(reply, 1001, "permission-denied", id=1)
            assert not peer.descriptors
    case(f"files: {_method} {_more.get('encoding', '')} by an administrator who may not".replace("  ", " "))(_denied)


@case("files: a receipt is an in-toto statement about the file, or there is a reason")
def _(service):
    job = service.done()
    with service.peer() as peer:
        reply = peer.ask("export.receipt", {"actor": service.actor, "job": job["id"]})
    if not job["hasReceipt"]:
        is_error(reply, 1008, "not-configured", id=1, retryable=False)
        assert reply["error"]["data"]["reason"] in ("no-key", "made-before")
        return
    receipt = reply["result"]["receipt"]
    assert receipt["payloadType"] == "application/vnd.in-toto+json"
    assert [len(base64.b64decode(signature["sig"])) for signature in receipt["signatures"]] == [64]
    statement = json.loads(base64.b64decode(receipt["payload"]))
    assert (statement["_type"], statement["predicateType"]) == ("https://in-toto.io/Statement/v1", "urn:adminexport:export:v1")
    assert statement["subject"] == [{"name": job["fileName"], "digest": {"sha256": job["sha256"]}}]
    predicate = statement["predicate"]
    assert (predicate["job"], predicate["columns"], predicate["rows"]) == (job["id"], job["columns"], job["rows"])
    assert predicate["requester"]["email"] == service.actor["administrator"] and predicate["requestedAt"] == job["createdAt"]


@case("files: the service closes descriptors that a caller sends, and answers the line")
def _(service):
    with service.peer() as peer, open(os.devnull, "rb") as null:
        for number in range(100):
            socket.send_fds(peer.socket, [request("service.info", id=number)], [null.fileno()] * 10)
            is_result(peer.reply(), number)
        ends = os.pipe()
        socket.send_fds(peer.socket, [request("service.info", id="pipe")], [ends[1]])
        is_result(peer.reply(), "pipe")
        os.close(ends[1])
        # The service has closed its copy of the write end.
        assert os.read(ends[0], 1) == b""
        os.close(ends[0])
