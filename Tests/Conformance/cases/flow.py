"""Flow control: the queue of requests, cancellation, unread output, and the number of connections."""
import time

from suite import Skip, case
from wire import Closed, is_error, is_result, request


def cancel(id):
    return b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":' + str(id).encode() + b"}}\n"


class Held:
    """A job that does not change for some seconds: the last one of a full queue. The jobs are cancelled at the end."""

    def __init__(self, service):
        self.service = service

    def __enter__(self):
        self.peer = self.service.peer()
        self.jobs = []
        limit = self.service.limits["queuedPerTenant"] + self.service.limits["runningPerTenant"]
        for number in range(limit):
            reply = self.peer.ask("export.start", {"actor": self.service.actor, "includeReferences": True})
            if "error" in reply:
                break
            self.jobs.append(reply["result"]["job"]["id"])
        return self.jobs[-1]

    def __exit__(self, *_):
        for job in self.jobs:
            self.peer.ask("export.cancel", {"actor": self.service.actor, "job": job})
        self.peer.close()


def wait(service, job, id, milliseconds=8_000):
    """A request that waits for a revision that will not exist."""
    return request("export.wait", {"actor": service.actor, "job": job, "afterRevision": 1_000_000_000,
                                   "timeoutMs": milliseconds}, id)


def unfinished(service, peer, job):
    """Skips the case if the service has already finished the job."""
    if peer.result("export.get", {"actor": service.actor, "job": job})["job"]["state"] not in ("queued", "running"):
        raise Skip("the service finished the job too early for this case")


@case("flow: control requests bypass a full queue, and another request is refused")
def _(service):
    window, parked = service.limits["inFlight"], service.limits["parked"]
    with Held(service) as job, service.peer() as peer:
        peer.send(b"".join(wait(service, job, number) for number in range(window + parked)))
        peer.send(wait(service, job, "over") + request("service.health", id="health") + request("service.info", id="info")
                  + request("export.unwatch", {"subscription": "s9"}, "unwatch")
                  + request("export.cancel", {"actor": service.actor, "job": service.done()["id"]}, "cancel"))
        seen = {}
        while set(seen) < {"over", "health", "info", "unwatch", "cancel"}:
            reply = peer.reply(5)
            seen[reply["id"]] = reply
            if reply["id"] in range(window + parked):
                raise Skip("the service finished the job too early for this case")
        is_error(seen["over"], -32001, "overloaded", id="over", retryable=True)
        for name in ("health", "info", "unwatch", "cancel"):
            is_result(seen[name], name)


@case("flow: a batch of control requests bypasses a full queue")
def _(service):
    with Held(service) as job, service.peer() as peer:
        peer.send(b"".join(wait(service, job, number) for number in range(service.limits["inFlight"] + 1)))
        peer.send(b"[" + request("service.info", id="a").strip() + b"," + request("service.health", id="b").strip() + b"]\n")
        reply = peer.reply(5)
        if not isinstance(reply, list):
            raise Skip("the service finished the job too early for this case")
        assert [each["id"] for each in reply] == ["a", "b"]


@case("flow: a running request is cancelled")
def _(service):
    with Held(service) as job, service.peer() as peer:
        peer.send(wait(service, job, 7))
        time.sleep(0.1)
        unfinished(service, peer, job)
        peer.send(cancel(7))
        is_error(peer.reply(5), -32800, "request-cancelled", id=7)
        is_result(peer.ask("service.info", id=7), 7)


@case("flow: a waiting request is cancelled")
def _(service):
    window = service.limits["inFlight"]
    with Held(service) as job, service.peer() as peer:
        peer.send(b"".join(wait(service, job, number) for number in range(window + 2)) + cancel(window + 1) + cancel(window))
        for id in (window + 1, window):
            reply = peer.reply(5)
            if "result" in reply:
                raise Skip("the service finished the job too early for this case")
            is_error(reply, -32800, "request-cancelled", id=id)


@case("flow: after all requests in flight are cancelled, the waiting ones run")
def _(service):
    window = service.limits["inFlight"]
    with Held(service) as job, service.peer() as peer:
        peer.send(b"".join(wait(service, job, number) for number in range(window)))
        peer.send(request("export.list", {"actor": service.actor, "limit": 1}, "parked"))
        peer.send(b"".join(cancel(number) for number in range(window)))
        replies = {reply["id"]: reply for reply in (peer.reply(10) for _ in range(window + 1))}
        is_result(replies["parked"], "parked")
        assert set(replies) == {*range(window), "parked"}


@case("flow: a cancellation of an id that is not in flight has no effect")
def _(service):
    with service.peer() as peer:
        peer.send(cancel(1) + cancel('"none"') + cancel("9007199254740991"))
        is_result(peer.ask("service.info"), 1)


@case("flow: a cancellation in a batch of notifications takes effect")
def _(service):
    with Held(service) as job, service.peer() as peer:
        peer.send(wait(service, job, 5))
        time.sleep(0.1)
        unfinished(service, peer, job)
        peer.send(b"[" + cancel(5).strip() + b"]\n")
        is_error(peer.reply(5), -32800, id=5)


def _forgotten(name, ids, lines):
    """Adds a case in which requests end and their ids are used again: a cancellation must not affect the later request."""
    def body(service):
        with service.peer() as peer:
            sent = lines(service)
            peer.send(b"".join(sent))
            for line in sent:
                if line.startswith(b"["):
                    assert isinstance(peer.reply(), list)
            for id in ids:
                # A remembered cancellation would end the first request, but not the second.
                is_result(peer.ask("export.list", {"actor": service.actor, "limit": 1}, id), id)
                is_result(peer.ask("service.info", id=id), id)
    case(f"flow: {name}")(body)


def _batch(*lines):
    return b"[" + b",".join(line.strip() for line in lines) + b"]\n"


_forgotten("a request that its batch refuses, cancelled before it, is forgotten", ["a", 7], lambda service: [
    _batch(cancel(f'"{id}"' if id == "a" else id), wait(service, service.done()["id"], id)) for id in ("a", 7)])
_forgotten("a request that its batch refuses, cancelled after it, is forgotten", [7], lambda service: [
    _batch(wait(service, service.done()["id"], 7), cancel(7), cancel(7))])
_forgotten("a request with wrong parameters, cancelled in its batch, is forgotten", [7], lambda service: [
    _batch(cancel(7), request("export.get", {"none": 1}, 7), cancel(7))])
_forgotten("an unknown method, cancelled in its batch, is forgotten", [7], lambda service: [
    _batch(cancel(7), request("none", id=7), cancel(7)), cancel(7)])
_forgotten("an id that its batch has twice, cancelled, is forgotten", [7], lambda service: [
    _batch(cancel(7), request("none", id=8), request("export.delete", {}, 7), request("export.delete", {}, 7), cancel(7))])
_forgotten("a request that its batch does not run, cancelled before it, is forgotten", [30], lambda service: [
    _batch(cancel(30), *(request("rpc.discover", id=number) for number in range(31)))])


@case("flow: a request that is refused because the queue is full, cancelled in its batch, is forgotten")
def _(service):
    window, parked = service.limits["inFlight"], service.limits["parked"]
    with Held(service) as job, service.peer() as peer:
        peer.send(b"".join(wait(service, job, number) for number in range(window + parked)))
        peer.send(_batch(cancel('"x"'), request("export.list", {"actor": service.actor}, "x"), cancel('"x"')))
        reply = peer.reply(5)
        if not isinstance(reply, list):
            raise Skip("the service finished the job too early for this case")
        is_error(reply[0], -32001, "overloaded", id="x")
        for number in range(window + parked):
            peer.send(cancel(number))
            peer.reply()
        is_result(peer.ask("export.list", {"actor": service.actor, "limit": 1}, "x"), "x")


@case("flow: after the end of sending, the service finishes a waiting request")
def _(service):
    with Held(service) as job, service.peer() as peer:
        peer.send(wait(service, job, 1, 1_500))
        peer.end()
        is_result(peer.replies(10)[0])


@case("flow: a caller that sends much before it reads gets every reply")
def _(service):
    lines, size = 20_000, 0
    with service.peer() as peer:
        peer.socket.settimeout(1)
        sent = 0
        # Sends until the service accepts no more, because it has stopped reading.
        try:
            for sent in range(lines):
                peer.socket.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"none"}\n' % sent)
        except TimeoutError:
            pass
        else:
            sent += 1
        partial = sent < lines
        peer.end()
        replies = peer.replies(60)
        ids = {reply["id"] for reply in replies if reply["id"] is not None}
        assert partial, "the service took all of it, unread"
        assert ids >= set(range(sent)), f"{len(ids)} of {sent} requests were answered"


@case("flow: large unread replies delay no other caller")
def _(service):
    job = service.done()["id"]
    with service.peer() as peer, service.peer() as other:
        peer.send(b"".join(request("export.read", {"actor": service.actor, "job": job, "offset": 0, "length": 524_288}, number)
                           for number in range(20)) + b"".join(request("rpc.discover", id=-number - 1) for number in range(20)))
        start = time.monotonic()
        for _ in range(20):
            is_result(other.ask("export.get", {"actor": service.actor, "job": job}))
        assert time.monotonic() - start < 10
        seen = {peer.reply()["id"] for _ in range(40)}
        assert len(seen) == 40


@case("flow: the connection of a slow reader stays open")
def _(service):
    seconds = service.wait_is_short("unreadOutputMs")
    with service.peer() as peer:
        peer.send(b"".join(request("rpc.discover", id=number) for number in range(30)))
        end, size = time.monotonic() + seconds * 2.5, 0
        peer.socket.settimeout(5)
        while time.monotonic() < end:
            data = peer.socket.recv(40_000)
            assert data, "it was dropped"
            peer.received += data
            time.sleep(seconds / 8)
        peer.end()
        assert {reply["id"] for reply in peer.replies(30)} == set(range(30))


@case("flow: the connection of a caller that does not read waiting output is closed")
def _(service):
    seconds = service.wait_is_short("unreadOutputMs")
    with service.peer() as peer:
        peer.send(b"".join(request("rpc.discover", id=number) for number in range(30)))
        time.sleep(seconds + 2)
        got = 0
        peer.socket.settimeout(5)
        try:
            while data := peer.socket.recv(1 << 20):
                got += data.count(b"\n")
        except ConnectionResetError:
            pass
        assert got < 30, "the service sent all replies to a caller that did not read"


@case("flow: the connection of a caller that has read everything stays open")
def _(service):
    seconds = service.wait_is_short("unreadOutputMs")
    with service.peer() as peer:
        is_result(peer.ask("service.info"))
        time.sleep(seconds + 1)
        is_result(peer.ask("service.info"))


@case("flow: one connection too many gets an error and is closed; when one ends, there is room")
def _(service):
    limit = min(service.limits["connectionsPerUser"], service.limits["connections"])
    if limit > 200:
        raise Skip(f"{limit} connections are many")
    peers, refused = [], None
    try:
        for _ in range(limit + 1):
            peer = service.peer()
            peers.append(peer)
            try:
                reply = peer.ask("service.info")
            except Exception:
                reply = peer.reply()
            if "error" in reply:
                refused = peer
                is_error(reply, -32001, "overloaded", retryable=True)
                break
        assert refused, f"{limit + 1} connections were let in"
        assert refused.is_closed(5)
        is_result(peers[0].ask("service.info"))
    finally:
        for peer in peers:
            peer.close()
    service.settle()


@case("flow: a thousand short connections, with and without a request")
def _(service):
    for number in range(1_000):
        with service.peer() as peer:
            try:
                if number % 3 == 1:
                    peer.send(b'{"jsonrpc"')
                if number % 3 == 2:
                    peer.send(request("service.health"))
            except Closed:
                pass  # Earlier connections still count, so this one exceeds the limit.
        if number % 20 == 0:
            service.settle()
    service.settle()
