"""Batches: JSON-RPC 2.0, section 6, with limits."""
import json

from suite import case
from wire import is_error, is_result, request


def _batch(*requests):
    return json.dumps([json.loads(each) if isinstance(each, bytes) else each for each in requests]).encode() + b"\n"


@case("batch: an empty batch gets one error")
def _(service):
    with service.peer() as peer:
        peer.send(b"[]\n")
        is_error(peer.reply(), -32600)


@case("batch: each element that is not a request gets an error")
def _(service):
    with service.peer() as peer:
        peer.send(b'[1,"x",null,[],{}]\n')
        replies = peer.reply()
        assert isinstance(replies, list) and len(replies) == 5, replies
        for reply in replies:
            is_error(reply, -32600)


@case("batch: one request is answered in an array")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info")))
        replies = peer.reply()
        assert isinstance(replies, list) and len(replies) == 1
        is_result(replies[0])


@case("batch: the maximum number of requests is answered in one line, in order")
def _(service):
    count = service.limits["batch"]
    with service.peer() as peer:
        peer.send(_batch(*(request("service.info", id=number) for number in range(count))))
        replies = peer.reply()
        assert [reply["id"] for reply in replies] == list(range(count))


@case("batch: one request more than the maximum gets one error, and none is run")
def _(service):
    with service.peer() as peer:
        before = peer.result("export.list", {"actor": service.actor})["jobs"]
        peer.send(_batch(*(request("export.start", {"actor": service.actor}, number)
                           for number in range(service.limits["batch"] + 1))))
        is_error(peer.reply(), -32600)
        assert peer.result("export.list", {"actor": service.actor})["jobs"] == before


@case("batch: a batch of notifications gets no reply")
def _(service):
    with service.peer() as peer:
        peer.send(b'[{"jsonrpc":"2.0","method":"service.info"},{"jsonrpc":"2.0","method":"none"}]\n')
        is_result(peer.ask("service.info", id="next"), "next")


@case("batch: requests, notifications and invalid elements in one batch")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info", id=1), {"jsonrpc": "2.0", "method": "none"}, 7, request("none", id=2),
                         request("service.info", {"x": 1}, 3)))
        replies = peer.reply()
        assert len(replies) == 4, replies
        is_result(replies[0], 1)
        is_error(replies[1], -32600)
        is_error(replies[2], -32601, id=2)
        is_error(replies[3], -32602, id=3, param="x")


for _method in ("export.open", "export.read", "export.receipt", "export.wait", "export.watch"):
    def _alone(service, method=_method):
        job = service.done()["id"]
        params = {"actor": service.actor, "job": job}
        if method == "export.read":
            params.update(offset=0, length=1)
        with service.peer() as peer:
            peer.send(_batch(request(method, params, 1), request("service.info", id=2)))
            replies = peer.reply()
            is_error(replies[0], -32600, id=1)
            is_result(replies[1], 2)
            assert not peer.descriptors
    case(f"batch: {_method} is refused in a batch")(_alone)


@case("batch: the second use of an id in a batch is refused")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info", id="a"), request("service.info", id="a")))
        replies = peer.reply()
        is_result(replies[0], "a")
        is_error(replies[1], -32600, "duplicate-id")


@case("batch: the number 1 and the string 1 are different ids")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info", id=1), request("service.info", id="1")))
        assert ["result" in reply for reply in peer.reply()] == [True, True]


@case("batch: a batch within a batch is refused")
def _(service):
    with service.peer() as peer:
        peer.send(b"[" + request("service.info").strip() + b",[" + request("service.info").strip() + b"]]\n")
        replies = peer.reply()
        is_result(replies[0])
        is_error(replies[1], -32600)


@case("batch: invalid JSON anywhere in a batch gets one error for the batch")
def _(service):
    with service.peer() as peer:
        peer.send(b"[" + request("service.info").strip() + b',{"a":01}]\n')
        is_error(peer.reply(), -32700, "parse-error")


@case("batch: requests run in order, so that a later one sees the effects of an earlier one")
def _(service):
    with service.peer() as peer:
        key = f"batch-{service.done()['id']}"
        start = request("export.start", {"actor": service.actor, "idempotencyKey": key}, 1)
        peer.send(_batch(start, request("export.list", {"actor": service.actor, "limit": 1}, 2)))
        first, second = peer.reply()
        if "error" in first:
            is_error(first, 1005, "quota-exceeded", id=1)
            return
        assert second["result"]["jobs"][0]["id"] == first["result"]["job"]["id"]
        service.finish(peer, first["result"]["job"])


@case("batch: each of several batches is answered in a line of its own")
def _(service):
    with service.peer() as peer:
        for number in range(50):
            peer.send(_batch(request("service.info", id=number), request("service.health", id=-number - 1)))
        seen = {tuple(reply["id"] for reply in peer.reply()) for _ in range(50)}
        assert seen == {(number, -number - 1) for number in range(50)}
