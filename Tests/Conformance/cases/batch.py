"""Batches: JSON-RPC 2.0, section 6, with bounds."""
import json

from suite import case
from wire import is_error, is_result, request


def _batch(*requests):
    return json.dumps([json.loads(each) if isinstance(each, bytes) else each for each in requests]).encode() + b"\n"


@case("batch: an empty one is one error")
def _(service):
    with service.peer() as peer:
        peer.send(b"[]\n")
        is_error(peer.reply(), -32600)


@case("batch: of things that are no requests, an error for each")
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


@case("batch: as many as may be, answered in one line and in order")
def _(service):
    count = service.limits["batch"]
    with service.peer() as peer:
        peer.send(_batch(*(request("service.info", id=number) for number in range(count))))
        replies = peer.reply()
        assert [reply["id"] for reply in replies] == list(range(count))


@case("batch: one more than may be is one error, and nothing of it is run")
def _(service):
    with service.peer() as peer:
        before = peer.result("export.list", {"actor": service.actor})["jobs"]
        peer.send(_batch(*(request("export.start", {"actor": service.actor}, number)
                           for number in range(service.limits["batch"] + 1))))
        is_error(peer.reply(), -32600)
        assert peer.result("export.list", {"actor": service.actor})["jobs"] == before


@case("batch: of notifications alone is not answered at all")
def _(service):
    with service.peer() as peer:
        peer.send(b'[{"jsonrpc":"2.0","method":"service.info"},{"jsonrpc":"2.0","method":"none"}]\n')
        is_result(peer.ask("service.info", id="next"), "next")


@case("batch: requests, notifications and nonsense side by side")
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


for _method in ("export.open", "export.read", "export.wait", "export.watch"):
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
    case(f"batch: {_method} is not taken in one")(_alone)


@case("batch: an id twice in one is refused the second time")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info", id="a"), request("service.info", id="a")))
        replies = peer.reply()
        is_result(replies[0], "a")
        is_error(replies[1], -32600, "duplicate-id")


@case("batch: the number 1 and the string 1 are two ids")
def _(service):
    with service.peer() as peer:
        peer.send(_batch(request("service.info", id=1), request("service.info", id="1")))
        assert ["result" in reply for reply in peer.reply()] == [True, True]


@case("batch: within a batch there is none")
def _(service):
    with service.peer() as peer:
        peer.send(b"[" + request("service.info").strip() + b",[" + request("service.info").strip() + b"]]\n")
        replies = peer.reply()
        is_result(replies[0])
        is_error(replies[1], -32600)


@case("batch: a fault of JSON anywhere in it is one error for all")
def _(service):
    with service.peer() as peer:
        peer.send(b"[" + request("service.info").strip() + b',{"a":01}]\n')
        is_error(peer.reply(), -32700, "parse-error")


@case("batch: in order, so that a later request sees what an earlier one did")
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


@case("batch: one line after another, each answered in a line of its own")
def _(service):
    with service.peer() as peer:
        for number in range(50):
            peer.send(_batch(request("service.info", id=number), request("service.health", id=-number - 1)))
        seen = {tuple(reply["id"] for reply in peer.reply()) for _ in range(50)}
        assert seen == {(number, -number - 1) for number in range(50)}
