"""Parameters of each method according to rpc.discover: the service names an invalid parameter before it does anything."""
import json

from suite import add
from wire import is_error

WRONG = {"string": [1, True, {}, [], None], "integer": ["1", 1.5, True, {}, None], "boolean": [0, "true", None, {}],
         "array": [{}, "x", 1, None], "object": [[], "x", 1, None]}


def _schema(service, document, schema):
    # The other alternative is null, which means that the parameter is omitted.
    schema = schema["oneOf"][0] if "oneOf" in schema else schema
    reference = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
    return document[reference.rsplit("/", 1)[1]] if reference else schema


def _value(service, name):
    """A valid value for each parameter."""
    return {"actor": service.actor, "job": "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b", "subscription": "s1", "offset": 0,
            "length": 1, "includeDisabled": False, "includeReferences": False, "includeAbout": False, "limit": 1, "states": [], "timeoutMs": 1,
            "afterRevision": 0, "encoding": "identity", "idempotencyKey": "conformance", "tenant": service.actor["tenant"],
            "cursor": "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b", "worker": "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b", "on": True,
            "administrator": service.actor["administrator"], "events": [], "from": "2026-01-01T00:00:00Z",
            "before": "2026-01-01T00:00:00Z"}[name]


def _refused(method, params, param):
    def body(service):
        with service.peer() as peer:
            before = peer.result("export.list", {"actor": service.actor, "limit": 100})["jobs"]
            is_error(peer.ask(method, params), -32602, "invalid-params", id=1, param=param)
            after = peer.result("export.list", {"actor": service.actor, "limit": 100})["jobs"]
            new = {job["id"] for job in after} - {job["id"] for job in before}
            assert not new, "something was started"
    return body


def _taken(method, params, param):
    """The service accepts what the schema allows, whatever the result is. `params` is the JSON text to send."""
    def body(service):
        with service.peer() as peer:
            peer.send(b'{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' % (method.encode(), params.encode()))
            reply = peer.reply()
            assert reply["id"] == 1, reply
            error = reply.get("error", {"code": 0, "data": {}})
            # Whether a caller may omit the actor depends on its grants, not on the schema.
            assert error["code"] != -32602 or error["data"]["param"] != param or param == "actor", error
            assert error["code"] != -32603, error
    return body


def prepare(service):
    with service.peer() as peer:
        schemas = peer.result("rpc.discover")["components"]["schemas"]
    for name, method in service.methods.items():
        if name == "rpc.discover":
            continue
        if name == "export.start":
            # KELVIN SIGN, which many programs treat as a K.
            params = {"actor": service.actor, "idempotency\u212aey": "x"}
            add(f"params: {name}: a name that only looks like a known one", _refused(name, params, "idempotency\u212aey"))
        required = {param["name"]: _value(service, param["name"]) for param in method["params"] if param["required"]}
        add(f"params: {name}: parameters by position are refused", _refused(name, [1], ""))
        # Some libraries send an empty array for no parameters.
        empty = _refused(name, [], "") if required else _taken(name, "[]", "")
        add(f"params: {name}: an empty array is {'refused' if required else 'accepted as no parameters'}", empty)
        add(f"params: {name}: the error names an unknown parameter", _refused(name, {**required, "x-none": 1}, "x-none"))
        for missing in required:
            rest = {key: value for key, value in required.items() if key != missing}
            add(f"params: {name}: {missing} is missing", _refused(name, rest, missing))
        for param in method["params"]:
            _prepare(service, name, required, param["name"], _schema(service, schemas, param["schema"]))


def _prepare(service, method, required, name, schema):
    for value in WRONG[schema["type"]]:
        if value is not None or name in required:
            add(f"params: {method}: {name} is {value!r}", _refused(method, {**required, name: value}, name))
    if name not in required:
        add(f"params: {method}: {name} is null, as if omitted", _taken(method, json.dumps({**required, name: None}), name))
    if schema["type"] == "integer":
        rest = json.dumps({key: value for key, value in required.items() if key != name})[1:-1]
        for form in ("{0}.0", "{0}e0", "{0}.000E+0", "{0}00.0e-2" if schema["minimum"] else "-0"):
            value = form.format(schema["minimum"])
            params = "{" + ",".join(filter(None, [rest, f'"{name}":{value}'])) + "}"
            add(f"params: {method}: {name} is {value}, an integer", _taken(method, params, name))
    if schema["type"] == "array":
        words = schema["items"]["enum"]
        add(f"params: {method}: {name} has each word once", _taken(method, json.dumps({**required, name: words}), name))
        add(f"params: {method}: {name} has a word twice", _refused(method, {**required, name: [words[0], words[1], words[0]]}, f"{name}.2"))
        add(f"params: {method}: {name} has more words than exist", _refused(method, {**required, name: [words[0]] * 2_000}, f"{name}.1"))
    beyond = []
    if "maximum" in schema:
        beyond += [schema["minimum"] - 1, schema["maximum"] + 1]
    elif schema["type"] == "integer":
        beyond.append(schema["minimum"] - 1)
    if "maxLength" in schema:
        beyond += ["", "x" * (schema["maxLength"] + 1)]
    if "pattern" in schema:
        beyond.append("a\0b")
    if schema.get("format") == "uuid":
        beyond += ["", "x", "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6", "019ac0de7a5c7b1d9e005a3c1f2e4d6b", "../../../../etc/passwd"]
    if schema.get("format") == "date-time":
        beyond += ["", "x", "2026-13-01T00:00:00Z", "2026-01-01", "1767225600", "300000-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
                   "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00",
                   "2026-01-01T00:00:00.1234567890Z", "-2026-01-01T00:00:00Z", "infinity", "99999999999999999999-01-01T00:00:00Z"]
        for value in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59", "2016-12-31T23:59:60Z",
                      "2024-02-29T00:00:00.5+05:30", "2026-01-01t00:00:00z"):
            add(f"params: {method}: {name} is {value}", _taken(method, json.dumps({**required, name: value}), name))
    if name == "cursor" and "format" not in schema:
        beyond += ["x", "-", "1", "1-", "-1", "-1-1", "1-1-1", "1 -1", "+1-1", "1e3-1", "1.0-1", "1234567890123456789-1", "1-1234567890123456789",
                   "9223372036854775807-9223372036854775807", "\uff11-1"]
        for value in ("0-0", "999999999999999999-999999999999999999"):
            add(f"params: {method}: {name} is {value}", _taken(method, json.dumps({**required, name: value}), name))
    if "enum" in schema:
        beyond += ["", "none", schema["enum"][0].upper()]
    for value in dict.fromkeys(beyond):
        shown = value if not isinstance(value, str) or len(value) < 60 else f"{len(value)} characters"
        add(f"params: {method}: {name} is out of bounds: {shown!r}", _refused(method, {**required, name: value}, name))
    if name == "actor":
        for label in ("tenant", "administrator"):
            for value in (1, 1.0, None, "", "a\0b", "x" * 321):
                shown = value if not isinstance(value, str) or len(value) < 60 else f"{len(value)} characters"
                params = {**required, "actor": {**service.actor, label: value}}
                add(f"params: {method}: actor.{label} is {shown!r}", _refused(method, params, f"actor.{label}"))
            rest = {key: value for key, value in service.actor.items() if key != label}
            add(f"params: {method}: actor.{label} is missing", _refused(method, {**required, "actor": rest}, f"actor.{label}"))
        params = {**required, "actor": {**service.actor, "x": 1}}
        add(f"params: {method}: the error names an unknown member of actor", _refused(method, params, "actor.x"))
    if schema["type"] == "array" and "enum" in schema["items"]:
        value = [schema["items"]["enum"][0], "none"]
        add(f"params: {method}: an element of {name} is unknown", _refused(method, {**required, name: value}, f"{name}.1"))
