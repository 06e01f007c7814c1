"""Watching jobs."""
import time

from suite import case
from wire import is_error, is_result, request


def _until_final(peer, subscription, seconds=60):
    """All notifications of a subscription up to the last one."""
    jobs, end = [], time.monotonic() + seconds
    while not jobs or jobs[-1]["state"] in ("queued", "running"):
        message = peer.reply(end - time.monotonic())
        assert message["method"] == "export.changed" and set(message) == {"jsonrpc", "method", "params"}, message
        assert set(message["params"]) == {"subscription", "job"}
        if message["params"]["subscription"] == subscription:
            jobs.append(message["params"]["job"])
    return jobs


@case("watch: the reply comes first, then notifications until the job is final")
def _(service):
    with service.peer() as peer:
        job = service.start(peer)
        peer.send(request("export.watch", {"actor": service.actor, "job": job["id"]}))
        reply = peer.reply()
        is_result(reply)
        watched = reply["result"]
        if watched["job"]["state"] in ("queued", "running"):
            jobs = _until_final(peer, watched["subscription"])
            revisions = [watched["job"]["revision"]] + [each["revision"] for each in jobs]
            assert revisions == sorted(revisions), revisions
            assert jobs[-1]["state"] == "succeeded" and jobs[-1]["size"] > 0
        assert peer.is_silent(), "there is more after the last state"


@case("watch: a finished job causes no notification")
def _(service):
    with service.peer() as peer:
        watched = peer.result("export.watch", {"actor": service.actor, "job": service.done()["id"]})
        assert watched["job"] == service.done()
        assert peer.is_silent()
        is_result(peer.ask("export.unwatch", {"subscription": watched["subscription"]}))


@case("watch: ending an unknown subscription is not an error")
def _(service):
    with service.peer() as peer:
        for subscription in ("s1", "none", "\u00e9"):
            assert peer.result("export.unwatch", {"subscription": subscription}) == {}


@case("watch: a connection cannot end a subscription of another connection")
def _(service):
    with service.peer() as peer, service.peer() as other:
        job = service.start(peer)
        watched = peer.result("export.watch", {"actor": service.actor, "job": job["id"]})
        assert other.result("export.unwatch", {"subscription": watched["subscription"]}) == {}
        if watched["job"]["state"] in ("queued", "running"):
            assert _until_final(peer, watched["subscription"])[-1]["state"] == "succeeded"


@case("watch: two connections that watch a job both get its final state")
def _(service):
    with service.peer() as peer, service.peer() as other:
        job = service.start(peer)
        for each in (peer, other):
            watched = each.result("export.watch", {"actor": service.actor, "job": job["id"]})
            if watched["job"]["state"] in ("queued", "running"):
                each.watched = watched["subscription"]
        for each in (peer, other):
            if hasattr(each, "watched"):
                assert _until_final(each, each.watched)[-1]["state"] == "succeeded"


@case("watch: after the end of sending, the service sends the final state and closes")
def _(service):
    with service.peer() as peer:
        job = service.start(peer)
        peer.send(request("export.watch", {"actor": service.actor, "job": job["id"]}))
        peer.end()
        replies = peer.replies(60)
        last = replies[-1]["params"]["job"] if "params" in replies[-1] else replies[-1]["result"]["job"]
        assert last["state"] == "succeeded", last


@case("watch: the number of subscriptions of a connection is limited")
def _(service):
    limit = service.limits["subscriptions"]
    with service.peer() as peer:
        jobs = [service.start(peer, includeReferences=True)["id"] for _ in range(2)]
        open_now, refused = set(), None
        for number in range(limit + 1):
            peer.send(request("export.watch", {"actor": service.actor, "job": jobs[number % 2]}, number))
        answered = 0
        while answered <= limit:
            message = peer.reply()
            if "method" in message:
                if message["params"]["job"]["state"] not in ("queued", "running"):
                    open_now.discard(message["params"]["subscription"])
            else:
                answered += 1
                if "error" in message:
                    refused = message
                elif message["result"]["job"]["state"] in ("queued", "running"):
                    open_now.add(message["result"]["subscription"])
        assert len(open_now) <= limit
        if refused:
            is_error(refused, -32001, "overloaded", id=refused["id"], retryable=True)


@case("watch: a subscription ends with its connection")
def _(service):
    with service.peer() as starter:
        job = service.start(starter)["id"]
        for _ in range(50):
            with service.peer() as peer:
                peer.send(request("export.watch", {"actor": service.actor, "job": job}))
                peer.reply()
            time.sleep(0.02)


@case("watch: a job is cancelled while it is watched")
def _(service):
    with service.peer() as peer:
        job = service.start(peer)
        watched = peer.result("export.watch", {"actor": service.actor, "job": job["id"]})
        cancelled = peer.ask("export.cancel", {"actor": service.actor, "job": job["id"]}, id="cancel")
        is_result(cancelled, "cancel")
        state = cancelled["result"]["job"]["state"]
        with service.peer() as other:
            final = service.finish(other, job)["state"]
        assert final in ("cancelled", "succeeded"), final
        assert state in ("queued", "running", "cancelled", "succeeded") and watched["subscription"]
