"""Parameters of each method, as rpc.discover describes them: what does not fit is named, before anything is done."""
from suite import add
from wire import is_error

WRONG = {"string": [1, True, {}, [], None], "integer": ["1", 1.5, True, {}, None], "boolean": [0, "true", None, {}],
         "array": [{}, "x", 1, None], "object": [[], "x", 1, None]}


def _schema(service, document, schema):
    reference = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
    return document[reference.rsplit("/", 1)[1]] if reference else schema


def _value(service, name):
    """One that is right, for each parameter there is."""
    return {"actor": service.actor, "job": "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b", "subscription": "s1", "offset": 0,
            "length": 1, "includeDisabled": False, "includeReferences": False, "limit": 1, "states": [], "timeoutMs": 1,
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


def prepare(service):
    with service.peer() as peer:
        schemas = peer.result("rpc.discover")["components"]["schemas"]
    for name, method in service.methods.items():
        if name == "rpc.discover":
            continue
        required = {param["name"]: _value(service, param["name"]) for param in method["params"] if param["required"]}
        add(f"params: {name}: by position", _refused(name, [1], ""))
        add(f"params: {name}: an unknown one is named", _refused(name, {**required, "x-none": 1}, "x-none"))
        for missing in required:
            rest = {key: value for key, value in required.items() if key != missing}
            add(f"params: {name}: {missing} is missing", _refused(name, rest, missing))
        for param in method["params"]:
            _prepare(service, name, required, param["name"], _schema(service, schemas, param["schema"]))


def _prepare(service, method, required, name, schema):
    for value in WRONG[schema["type"]]:
        add(f"params: {method}: {name} is {value!r}", _refused(method, {**required, name: value}, name))
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
        beyond += ["", "x", "2026-13-01T00:00:00Z", "2026-01-01", "1767225600"]
    if "enum" in schema:
        beyond += ["", "none", schema["enum"][0].upper()]
    for value in beyond:
        shown = value if not isinstance(value, str) or len(value) < 60 else f"{len(value)} characters"
        add(f"params: {method}: {name} is out of bounds: {shown!r}", _refused(method, {**required, name: value}, name))
    if name == "actor":
        for label in ("tenant", "administrator"):
            for value in (1, None, "", "a\0b", "x" * 321):
                shown = value if not isinstance(value, str) or len(value) < 60 else f"{len(value)} characters"
                params = {**required, "actor": {**service.actor, label: value}}
                add(f"params: {method}: actor.{label} is {shown!r}", _refused(method, params, f"actor.{label}"))
            rest = {key: value for key, value in service.actor.items() if key != label}
            add(f"params: {method}: actor.{label} is missing", _refused(method, {**required, "actor": rest}, f"actor.{label}"))
        params = {**required, "actor": {**service.actor, "x": 1}}
        add(f"params: {method}: an unknown one within actor is named", _refused(method, params, "actor.x"))
    if schema["type"] == "array" and "enum" in schema["items"]:
        value = [schema["items"]["enum"][0], "none"]
        add(f"params: {method}: an element of {name} is none", _refused(method, {**required, name: value}, f"{name}.1"))
