"""Jobs: their members, their owners and their life cycle."""
import time

from suite import Skip, case
from wire import is_error, is_result

NOBODYS = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"


@case("jobs: a started job is queued or runs, belongs to the actor, and has every member")
def _(service):
    with service.peer() as peer:
        job = service.start(peer)
        members = {"id", "tenant", "requestedBy", "includeDisabled", "includeReferences", "includeAbout", "state", "revision", "progress",
                   "queuePosition", "cancelRequested", "createdAt", "startedAt", "attemptStartedAt", "finishedAt", "expiresAt",
                   "fileName", "size", "sha256", "rows", "sheets", "columns", "hasReceipt", "warnings", "error"}
        assert set(job) == members, set(job) ^ members
        assert job["state"] in ("queued", "running") and job["revision"] >= 1
        assert (job["tenant"], job["requestedBy"]) == tuple(service.actor.values())
        done = service.finish(peer, job)
        assert done["state"] == "succeeded", done
        assert done["revision"] > job["revision"] and done["progress"]["rowsDone"] == done["rows"]
        assert done["fileName"].startswith(f"administrators-{job['tenant']}-") and len(done["sha256"]) == 64


@case("jobs: export.wait returns later revisions in order")
def _(service):
    with service.peer() as peer:
        job = service.start(peer)
        revisions = [job["revision"]]
        while job["state"] in ("queued", "running"):
            job = peer.result("export.wait", {"actor": service.actor, "job": job["id"], "afterRevision": revisions[-1],
                                              "timeoutMs": 5_000})["job"]
            revisions.append(job["revision"])
        assert revisions == sorted(set(revisions)), revisions


@case("jobs: export.wait returns at once for a finished job")
def _(service):
    with service.peer() as peer:
        start = time.monotonic()
        params = {"actor": service.actor, "job": service.done()["id"]}
        for extra in ({}, {"afterRevision": 9_007_199_254_740_991}, {"afterRevision": 0}, {"timeoutMs": 60_000}):
            is_result(peer.ask("export.wait", {**params, **extra}))
        assert time.monotonic() - start < 5


@case("jobs: the same key with the same options returns the same job, with other options a conflict")
def _(service):
    key = f"key-{service.done()['id']}"
    with service.peer() as peer:
        job = service.start(peer, idempotencyKey=key)
        again = peer.result("export.start", {"actor": service.actor, "idempotencyKey": key})
        assert again["job"]["id"] == job["id"] and again["replayed"] is True
        reply = peer.ask("export.start", {"actor": service.actor, "idempotencyKey": key, "includeDisabled": True})
        is_error(reply, 1004, "conflict", id=1, retryable=False)
        service.finish(peer, job)


@case("jobs: a key whose job has no workbook any more starts a new job, with any options")
def _(service):
    key = f"over-{service.done()['id']}"
    with service.peer() as peer:
        job = service.start(peer, idempotencyKey=key)
        service.finish(peer, job)
        peer.result("export.delete", {"actor": service.actor, "job": job["id"]})
        new = peer.result("export.start", {"actor": service.actor, "idempotencyKey": key, "includeDisabled": True})
        assert new["job"]["id"] != job["id"] and new["replayed"] is False
        service.finish(peer, new["job"])


@case("jobs: a key belongs to the actor")
def _(service):
    key = f"mine-{service.done()['id']}"
    with service.peer() as peer:
        mine = service.start(peer, idempotencyKey=key)
        service.finish(peer, mine)
        reply = peer.ask("export.start", {"actor": service.other, "idempotencyKey": key, "includeReferences": True})
        assert reply["result"]["job"]["id"] != mine["id"]
        service.finish(peer, reply["result"]["job"], service.other)


for _method in ("export.get", "export.wait", "export.watch", "export.cancel", "export.delete", "export.open", "export.read",
                "export.receipt"):
    def _elsewhere(service, method=_method):
        more = {"offset": 0, "length": 1} if method == "export.read" else {}
        with service.peer() as peer:
            for actor in (service.other, service.foreign):
                reply = peer.ask(method, {"actor": actor, "job": service.done()["id"], **more})
                is_error(reply, 1002, "not-found", id=1, retryable=False)
            is_error(peer.ask(method, {"actor": service.actor, "job": NOBODYS, **more}), 1002, "not-found", id=1)
            assert peer.result("export.get", {"actor": service.actor, "job": service.done()["id"]})["job"] == service.done()
            assert not peer.descriptors
    case(f"jobs: {_method} does not find a job of another actor or an unknown job")(_elsewhere)


for _name, _change, _reason in [
        ("an administrator without the permission", lambda service: service.without, "no-permission"),
        ("an unknown administrator", lambda service: {**service.actor, "administrator": "none@none.example"}, "unknown-administrator"),
        ("an administrator in capitals", lambda service: {**service.actor, "administrator": service.actor["administrator"].upper()},
         "unknown-administrator"),
        ("an administrator that is SQL", lambda service: {**service.actor, "administrator": "' OR 1=1 --"}, "unknown-administrator"),
        ("an unknown tenant", lambda service: {**service.actor, "tenant": "no-such-tenant"}, "unknown-tenant"),
        ("a tenant that is a path", lambda service: {**service.actor, "tenant": "../../etc"}, "unknown-tenant"),
        ("another tenant's administrator", lambda service: {**service.foreign, "tenant": service.actor["tenant"]}, "unknown-administrator")]:
    def _denied(service, change=_change, reason=_reason):
        with service.peer() as peer:
            reply = peer.ask("export.start", {"actor": change(service)})
            is_error(reply, 1001, "permission-denied", id=1, retryable=False)
            if reply["error"]["data"]["reason"] != "caller-not-allowed":
                assert reply["error"]["data"]["reason"] == reason, reply["error"]["data"]
    case(f"jobs: {_name} may not start an export")(_denied)


@case("jobs: lists are newest first, and their pages are consecutive")
def _(service):
    service.fresh()
    service.done()
    with service.peer() as peer:
        whole = peer.result("export.list", {"actor": service.actor, "limit": 100})["jobs"]
        ids = [job["id"] for job in whole]
        assert ids == sorted(ids, reverse=True)
        paged, cursor = [], None
        while len(paged) < len(ids):
            page = peer.result("export.list", {"actor": service.actor, "limit": 1, **({"cursor": cursor} if cursor else {})})
            paged += [job["id"] for job in page["jobs"]]
            cursor = page.get("nextCursor")
            if cursor is None:
                break
        assert paged == ids[:len(paged)] and len(paged) >= min(len(ids), 2)


@case("jobs: a list may be restricted to some states")
def _(service):
    service.done()
    with service.peer() as peer:
        for state in ("queued", "running", "succeeded", "failed", "cancelled", "expired"):
            jobs = peer.result("export.list", {"actor": service.actor, "states": [state], "limit": 100})["jobs"]
            assert {job["state"] for job in jobs} <= {state}


@case("jobs: the cancellation of a finished job has no effect and is not an error")
def _(service):
    with service.peer() as peer:
        params = {"actor": service.actor, "job": service.done()["id"]}
        assert peer.result("export.cancel", params)["job"] == service.done()
        assert peer.result("export.get", params)["job"] == service.done()


@case("jobs: a deleted workbook is expired and no longer delivered")
def _(service):
    job = service.fresh()
    params = {"actor": service.actor, "job": job["id"]}
    with service.peer() as peer:
        expired = peer.result("export.delete", params)["job"]
        assert expired["state"] == "expired" and expired["revision"] == job["revision"] + 1
        assert peer.result("export.delete", params)["job"] == expired
        is_error(peer.ask("export.open", params), 1006, "expired", id=1)
        is_error(peer.ask("export.open", {**params, "encoding": "zstd"}), 1006, "expired", id=1)
        is_error(peer.ask("export.read", {**params, "offset": 0, "length": 1}), 1006, "expired", id=1)


@case("jobs: an operator may omit the actor, but cannot read files")
def _(service):
    if not service.is_operator():
        raise Skip("the caller is not an operator of all tenants")
    # A new job, because a list contains at most the hundred newest jobs.
    job = service.fresh()
    with service.peer() as peer:
        assert peer.result("export.get", {"job": job["id"]})["job"] == job
        assert peer.result("export.wait", {"job": job["id"], "timeoutMs": 1})["job"] == job
        assert peer.result("export.cancel", {"job": job["id"]})["job"] == job
        assert peer.result("export.watch", {"job": job["id"]})["job"] == job
        jobs = peer.result("export.list", {"tenant": service.actor["tenant"], "limit": 100})["jobs"]
        assert job["id"] in [each["id"] for each in jobs]
        foreign = peer.result("export.list", {"tenant": service.foreign["tenant"], "limit": 100})["jobs"]
        assert job["id"] not in [each["id"] for each in foreign]
        is_error(peer.ask("export.open", {"job": job["id"]}), -32602, id=1, param="actor")
        is_error(peer.ask("export.read", {"job": job["id"], "offset": 0, "length": 1}), -32602, id=1, param="actor")
        both = peer.ask("export.list", {"actor": service.actor, "tenant": service.actor["tenant"]})
        is_error(both, -32602, id=1, param="tenant")


@case("jobs: errors contain no path and no data of administrators")
def _(service):
    with service.peer() as peer:
        for params in ({"actor": service.without}, {"actor": {**service.actor, "administrator": "secret@none.example"}}):
            message = str(peer.ask("export.start", params))
            assert "/" not in message.replace("adminexport/", "") and "secret@" not in message
