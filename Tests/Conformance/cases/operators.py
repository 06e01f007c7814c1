"""The methods for operators: pause, drain, hold, and the audit trail. Each case undoes its changes."""
import contextlib
import time

from suite import Skip, case
from wire import is_error

NOBODY = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"


@contextlib.contextmanager
def _operator(service):
    if not service.is_operator():
        raise Skip("the caller is not an operator of all tenants")
    with service.peer() as peer:
        yield peer


@case("operators: a paused queue accepts jobs but starts none until it is resumed")
def _(service):
    with _operator(service) as peer:
        peer.result("service.pause")
        try:
            peer.result("service.pause")
            assert peer.result("service.health")["paused"] is True
            job = service.start(peer)
            waited = peer.result("export.wait", {"actor": service.actor, "job": job["id"], "timeoutMs": 1_500})["job"]
            assert waited["state"] == "queued", waited
        finally:
            peer.result("service.resume")
        assert service.finish(peer, job)["state"] == "succeeded"


@case("operators: a drained worker reports it, and takes jobs again after the drain is undone")
def _(service):
    with _operator(service) as peer:
        workers = peer.result("service.workers")["workers"]
        assert workers, "no worker"
        for worker in workers:
            assert peer.result("service.drain", {"worker": worker["id"]})["worker"]["draining"] is True
        try:
            job = service.start(peer)
            waited = peer.result("export.wait", {"actor": service.actor, "job": job["id"], "timeoutMs": 1_500})["job"]
            assert waited["state"] == "queued", waited
        finally:
            for worker in workers:
                assert peer.result("service.drain", {"worker": worker["id"], "on": False})["worker"]["draining"] is False
        assert service.finish(peer, job)["state"] == "succeeded"


@case("operators: an unknown worker cannot be drained")
def _(service):
    with _operator(service) as peer:
        is_error(peer.ask("service.drain", {"worker": NOBODY}), 1002, "not-found", id=1)


@case("operators: a job under legal hold cannot be deleted until the hold is released")
def _(service):
    with _operator(service) as peer:
        job = service.fresh()
        assert peer.result("service.hold", {"job": job["id"], "on": True})["held"] is True
        refused = peer.ask("export.delete", {"actor": service.actor, "job": job["id"]})
        is_error(refused, 1004, "conflict", id=1, reason="held")
        assert peer.result("service.hold", {"job": job["id"], "on": False})["held"] is False
        assert peer.result("export.delete", {"actor": service.actor, "job": job["id"]})["job"]["state"] == "expired"
        is_error(peer.ask("service.hold", {"job": job["id"], "on": True}), 1006, "expired", id=1)
        is_error(peer.ask("service.hold", {"job": NOBODY, "on": True}), 1002, "not-found", id=1)


@case("operators: the audit trail lists the events of a job, newest first, in pages")
def _(service):
    with _operator(service) as peer:
        job = service.fresh()
        peer.result("export.read", {"actor": service.actor, "job": job["id"], "offset": 0, "length": 1})
        events = peer.result("audit.list", {"job": job["id"]})["events"]
        assert [event["event"] for event in events] == ["downloaded", "finished", "started", "requested"], events
        assert events[3]["peer"]["uid"] == service.info["caller"]["uid"], events[3]
        assert events[3]["details"]["includeDisabled"] is False, events[3]
        assert events[1]["details"]["sha256"] == job["sha256"] and "peer" not in events[1], events[1]
        assert all(event["administrator"] == service.actor["administrator"] for event in events)
        paged, params = [], {"job": job["id"], "limit": 1}
        for _ in range(4):
            page = peer.result("audit.list", params)
            paged += page["events"]
            params["cursor"] = page.get("nextCursor")
        assert paged == events and params["cursor"] is None
        assert peer.result("audit.list", {"job": job["id"], "events": ["failed"]})["events"] == []
        # An empty list of kinds selects no events.
        for params in ({}, {"job": job["id"]}, {"administrator": service.actor["administrator"], "from": job["createdAt"]}):
            assert peer.result("audit.list", {**params, "events": []})["events"] == []
        assert peer.result("audit.list", {"job": job["id"], "before": job["createdAt"]})["events"] == []
        assert len(peer.result("audit.list", {"job": job["id"], "from": job["createdAt"]})["events"]) == 4


@case("operators: the audit trail records a denial with its reason and its user, after the reply")
def _(service):
    with _operator(service) as peer:
        is_error(peer.ask("export.start", {"actor": service.without}), 1001, "permission-denied", id=1)
        uid, end = service.info["caller"]["uid"], time.monotonic() + 20
        # The service writes the first denial of a user and reason at once, with the request, and counts further ones.
        while True:
            events = [event for event in peer.result("audit.list", {"events": ["denied"], "limit": 500})["events"]
                      if event["reason"] == "no-permission" and event["peer"]["uid"] == uid]
            if events or time.monotonic() > end:
                break
            time.sleep(0.05)
        assert events and all(event["details"]["count"] >= 1 and event["details"]["methods"] for event in events), events
        assert "administrator" in events[-1], events[-1]
