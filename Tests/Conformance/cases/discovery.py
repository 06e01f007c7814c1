"""The service's description of itself."""
import os

from suite import Skip, add, case
from wire import Peer, is_result


def _resolved(document, schema):
    while True:
        reference = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
        if not reference:
            return schema
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]


def _fits(document, schema, value, path):
    """Checks a value against its schema: types, members and enumerations."""
    schema = _resolved(document, schema)
    if "oneOf" in schema:
        return value is None or _fits(document, schema["oneOf"][0], value, path)
    kind = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[schema["type"]]
    assert isinstance(value, kind), f"{path} is {value!r}"
    if "enum" in schema:
        assert value in schema["enum"], f"{path} is {value!r}"
    if kind is dict and schema.get("properties"):
        missing = [name for name in schema.get("required", []) if name not in value]
        assert not missing, f"{path} has no {missing}"
        for name, member in value.items():
            assert name in schema["properties"], f"{path}.{name} is not described"
            _fits(document, schema["properties"][name], member, f"{path}.{name}")
    if kind is list:
        for number, element in enumerate(value):
            _fits(document, schema["items"], element, f"{path}[{number}]")


def prepare(service):
    with Peer(service.path) as peer:
        document = peer.result("rpc.discover")
    for method in document["methods"]:
        for example in method["examples"]:
            add(f"discovery: the example of {method['name']} can be sent: {example['name']}", _example(document, method, example))


# Methods that change the job, methods for operators, and the calls that undo a method.
SPOILING = {"export.delete", "service.hold"}
OPERATORS = {"service.pause", "service.resume", "service.workers", "service.drain", "service.hold", "service.holds", "audit.list",
             "audit.checkpoints", "audit.digest"}
UNDO = {"service.pause": ("service.resume", {}), "service.drain": ("service.drain", {"on": False}),
        "service.hold": ("service.hold", {"on": False})}


def _example(document, method, example):
    def body(service):
        params = {param["name"]: param["value"] for param in example["params"]}
        if "actor" in params:
            params["actor"] = service.actor
        if "job" in params:
            params["job"] = (service.fresh() if method["name"] in SPOILING else service.done())["id"]
        if "idempotencyKey" in params:
            params["idempotencyKey"] += service.done()["id"]
        with service.peer() as peer:
            if method["name"] == "export.start":
                service.finish(peer, service.start(peer, **{key: value for key, value in params.items() if key != "actor"}))
                return
            if method["name"] in OPERATORS and not service.is_operator():
                raise Skip("the caller is not an operator of all tenants")
            if method["name"] == "export.receipt" and not service.done()["hasReceipt"]:
                raise Skip("the service has no signing key")
            if "worker" in params:
                params["worker"] = peer.result("service.workers")["workers"][0]["id"]
            try:
                result = peer.result(method["name"], params)
            finally:
                if method["name"] in UNDO:
                    name, more = UNDO[method["name"]]
                    peer.result(name, {**params, **more})
            _fits(document, method["result"]["schema"], result, method["name"])
            assert len(peer.descriptors) == method["x-descriptors"]
    return body


@case("discovery: the document is OpenRPC and complete")
def _(service):
    with service.peer() as peer:
        document = peer.result("rpc.discover")
    assert document["openrpc"].startswith("1.") and document["info"]["title"] and document["info"]["version"]
    names = [method["name"] for method in document["methods"]]
    assert len(set(names)) == len(names) and "rpc.discover" in names
    for method in document["methods"]:
        assert method["summary"] and method["result"]["schema"] and method["paramStructure"] == "by-name"
        required = [param["required"] for param in method["params"]]
        assert required == sorted(required, reverse=True), f"{method['name']}: required ones come first"
        for error in method["errors"]:
            assert error["$ref"].rsplit("/", 1)[1] in document["components"]["errors"]
    notifications = {each["name"]: each for each in document["x-notifications"]}
    assert set(notifications) == {"export.changed", "$/cancelRequest"}


@case("discovery: every described method exists")
def _(service):
    with service.peer() as peer:
        for name in service.methods:
            reply = peer.ask(name, {"x-none": 1})
            assert reply["error"]["code"] == -32602, f"{name}: {reply}"


@case("discovery: the document has the version of the service")
def _(service):
    with service.peer() as peer:
        assert peer.result("rpc.discover")["info"]["version"] == peer.result("service.info")["version"]


@case("discovery: health has the promised members")
def _(service):
    with service.peer() as peer:
        health = peer.result("service.health")
        assert health["status"] in ("ok", "degraded", "unavailable") and "database" in health and "storage" in health


@case("discovery: the metrics as numbers have the promised members, and are those of the text")
def _(service):
    with service.peer() as peer:
        stats = peer.result("service.stats")
        for name in ("archives", "requests", "requestTimes", "downloads", "auditEvents", "connections", "databaseConnections"):
            assert name in stats, f"{name} is missing"
        assert stats["connections"]["open"] >= 1
        text = peer.result("service.metrics")["body"]
        assert ("queue" in stats) == ("adminexport_database_up 1\n" in text)
        if "queue" in stats:
            assert f"adminexport_worker_slots {stats['queue']['slots']}\n" in text
        buckets = stats["requestTimes"]["buckets"]
        assert "upToUs" not in buckets[-1] and all(bucket["upToUs"] > 0 for bucket in buckets[:-1])


@case("callers: the service knows the user and the groups of the caller")
def _(service):
    caller = service.info["caller"]
    assert (caller["uid"], caller["gid"]) == (os.getuid(), os.getgid())
    assert set(caller["groups"]) == {*os.getgroups(), os.getgid()}


@case("callers: each grant names its tenants")
def _(service):
    for grant in service.info["caller"]["grants"]:
        assert grant["grant"] in ("export", "operator") and grant["tenants"]


@case("callers: a process cannot claim to be another user")
def _(service):
    with service.peer() as peer:
        for params in ({"uid": 0}, {"caller": {"uid": 0}}, {"_meta": {"uid": 0}}):
            assert peer.ask("service.info", params)["error"]["code"] == -32602
        is_result(peer.ask("service.info"))
        assert peer.result("service.info")["caller"]["uid"] == os.getuid()
