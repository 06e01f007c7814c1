"""The members of a JSON-RPC 2.0 request, and the service's stricter rules."""
import json

from suite import add, case
from wire import is_error, is_result

# Name, line, and the error's code, kind and id.
WRONG = [
    ("null", b"null", -32600, None), ("a number", b"1", -32600, None), ("a string", b'"x"', -32600, None),
    ("true", b"true", -32600, None), ("an empty object", b"{}", -32600, None),
    ("no jsonrpc", b'{"id":1,"method":"service.info"}', -32600, 1),
    ("jsonrpc 1.0", b'{"jsonrpc":"1.0","id":1,"method":"service.info"}', -32600, 1),
    ("jsonrpc 2.0 as a number", b'{"jsonrpc":2.0,"id":1,"method":"service.info"}', -32600, 1),
    ("jsonrpc null", b'{"jsonrpc":null,"id":1,"method":"service.info"}', -32600, 1),
    ("no method", b'{"jsonrpc":"2.0","id":1}', -32600, 1),
    ("a method that is a number", b'{"jsonrpc":"2.0","id":1,"method":1}', -32600, 1),
    ("a method that is null", b'{"jsonrpc":"2.0","id":1,"method":null}', -32600, 1),
    ("a method that is an object", b'{"jsonrpc":"2.0","id":1,"method":{}}', -32600, 1),
    ("an id that is null", b'{"jsonrpc":"2.0","id":null,"method":"service.info"}', -32600, None),
    ("an id that is fractional", b'{"jsonrpc":"2.0","id":1.5,"method":"service.info"}', -32600, None),
    ("an id with an exponent", b'{"jsonrpc":"2.0","id":1e2,"method":"service.info"}', -32600, None),
    ("an id that is true", b'{"jsonrpc":"2.0","id":true,"method":"service.info"}', -32600, None),
    ("an id that is an object", b'{"jsonrpc":"2.0","id":{},"method":"service.info"}', -32600, None),
    ("an id that is an array", b'{"jsonrpc":"2.0","id":[1],"method":"service.info"}', -32600, None),
    ("an id of 129 bytes", b'{"jsonrpc":"2.0","id":"' + b"x" * 129 + b'","method":"service.info"}', -32600, None),
    ("a further member", b'{"jsonrpc":"2.0","id":1,"method":"service.info","extra":1}', -32600, 1),
    ("a result", b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600, 1),
    ("an error", b'{"jsonrpc":"2.0","id":1,"error":{}}', -32600, 1),
    ("params that are a string", b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":"x"}', -32600, 1),
    ("params that are a number", b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":1}', -32600, 1),
    ("params that are true", b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":true}', -32600, 1),
    ("params by position", b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":[1]}', -32602, 1),
    ("an unknown method", b'{"jsonrpc":"2.0","id":1,"method":"export.none"}', -32601, 1),
    ("an unknown method of rpc", b'{"jsonrpc":"2.0","id":1,"method":"rpc.none"}', -32601, 1),
    ("an empty method", b'{"jsonrpc":"2.0","id":1,"method":""}', -32601, 1),
    ("a method in capitals", b'{"jsonrpc":"2.0","id":1,"method":"SERVICE.INFO"}', -32601, 1),
    ("a method with a space", b'{"jsonrpc":"2.0","id":1,"method":"service.info "}', -32601, 1),
    ("a method with a NUL", b'{"jsonrpc":"2.0","id":1,"method":"service.info\\u0000"}', -32601, 1),
    ("a method with a line end", b'{"jsonrpc":"2.0","id":1,"method":"a\\nb\\u2028c"}', -32601, 1),
    ("a method of half a million marks that combine", '{"jsonrpc":"2.0","id":1,"method":"a'.encode() + "\u0301\u0316".encode() * 125_000 + b'"}', -32601, 1),
    ("a member of half a million bytes", b'{"jsonrpc":"2.0","id":1,"method":"service.info","' + b"m" * 500_000 + b'":1}', -32600, 1),
    ("an id of half a million bytes", b'{"jsonrpc":"2.0","id":"' + b"x" * 500_000 + b'","method":"service.info"}', -32600, None),
    ("an id that is an integer with a point", b'{"jsonrpc":"2.0","id":1.0,"method":"service.info"}', -32600, None),
    ("a method of half a million bytes", b'{"jsonrpc":"2.0","id":1,"method":"' + b"m" * 500_000 + b'"}', -32601, 1),
    ("$/cancelRequest with an id of its own", b'{"jsonrpc":"2.0","id":1,"method":"$/cancelRequest","params":{"id":2}}', -32601, 1),
]

IDS = [b"0", b"-0", b"1", b"-1", b"9007199254740991", b"-9007199254740991", b'""', b'"a"', b'"1"', b'"\\u0041"', b'"\\/"',
       '"é中😀"'.encode(), b'"\\ud83d\\ude00"', b'"\\u0000"', b'"' + b"x" * 128 + b'"']


def _wrong(line, code, id):
    def body(service):
        with service.peer() as peer:
            peer.send(line + b"\n")
            raw = peer.line()
            assert len(raw) < 2_000, f"{len(raw)} bytes of answer"
            is_error(json.loads(raw), code, id=id)
            is_result(peer.ask("service.info", id="next"), "next")
    return body


def _echo(id):
    def body(service):
        with service.peer() as peer:
            peer.send(b'{"jsonrpc":"2.0","id":' + id + b',"method":"service.info"}\n')
            line = peer.line()
            assert b'"id":' + id + b"," in line, f"the id {id!r} came back as {line[:200]!r}"
    return body


for name, line, code, id in WRONG:
    add(f"envelope: {name}: {code}", _wrong(line, code, id))
for id in IDS:
    add(f"envelope: the id {id.decode() if len(id) < 40 else 'of 128 bytes'} comes back as it was sent", _echo(id))


@case("envelope: members may come in any order and be escaped")
def _(service):
    with service.peer() as peer:
        peer.send(b'{"params":{},"\\u006dethod":"service\\u002einfo","id":1,"jsonrpc":"2.\\u0030"}\n')
        is_result(peer.reply())


@case("envelope: params that are an empty array are accepted as omitted")
def _(service):
    with service.peer() as peer:
        is_result(peer.ask("service.info", []))


@case("envelope: params that are null are accepted as omitted")
def _(service):
    with service.peer() as peer:
        peer.send(b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":null}\n')
        is_result(peer.reply())
        peer.send(b'{"jsonrpc":"2.0","id":2,"method":"export.start","params":null}\n')
        is_error(peer.reply(), -32602, "invalid-params", id=2, param="actor")


@case("envelope: notifications get no reply, even if they are invalid")
def _(service):
    with service.peer() as peer:
        for method, params in [("service.info", "{}"), ("none", "{}"), ("export.get", '{"x":1}'), ("service.info", "[]"),
                               ("$/cancelRequest", "{}"), ("$/cancelRequest", '{"id":null}'), ("$/cancelRequest", '{"id":[1]}'),
                               ("$/cancelRequest", '{"id":"none"}'), ("$/cancelRequest", "[1]")]:
            peer.send(f'{{"jsonrpc":"2.0","method":"{method}","params":{params}}}\n'.encode())
        is_result(peer.ask("service.info", id="only"), "only")
        assert peer.is_silent()


@case("envelope: a notification starts no export")
def _(service):
    with service.peer() as peer:
        before = peer.result("export.list", {"actor": service.actor})["jobs"]
        peer.send(json.dumps({"jsonrpc": "2.0", "method": "export.none", "params": {"actor": service.actor}}).encode() + b"\n")
        peer.send(json.dumps({"jsonrpc": "2.0", "method": "export.start", "params": {"actor": service.actor, "x": 1}}).encode() + b"\n")
        after = peer.result("export.list", {"actor": service.actor})["jobs"]
        assert [job["id"] for job in before] == [job["id"] for job in after]


@case("envelope: a caller may use an id again as soon as it has the reply")
def _(service):
    with service.peer() as peer:
        for _ in range(200):
            is_result(peer.ask("service.info", id="same"), "same")


@case("envelope: an id that is in flight is refused, however it is written")
def _(service):
    with service.peer() as holder:
        job = _unfinished(service, holder)
        holder.send(json.dumps({"jsonrpc": "2.0", "id": "A", "method": "export.wait",
                                "params": {"actor": service.actor, "job": job, "timeoutMs": 3_000}}).encode() + b"\n")
        holder.send(b'{"jsonrpc":"2.0","id":"\\u0041","method":"service.info"}\n')
        first = holder.reply()
        if first.get("id") == "A":
            return  # The job changed first.
        is_error(first, -32600, "duplicate-id")


def _unfinished(service, peer):
    """A job that is probably not final yet."""
    return service.start(peer, includeReferences=True)["id"]
