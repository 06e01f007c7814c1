#!/usr/bin/env python3
"""Send random requests to a running service: requests that its own description allows, nearly allows and does not allow.

The program makes requests for every method from the document of rpc.discover, with the extreme values of each type and with changed
real values. After each round, it checks that the service answers. It also checks that each reply conforms to the protocol (id, code
with its kind, a result that matches its schema, the name of the wrong parameter), that no reply is -32603, that the service accepts
what the schema allows and refuses everything else, and that resident memory stays below a limit. It needs Python 3.9 and no packages.

usage: Scripts/postgres.sh python3 Tests/Fuzz/methods.py [--seconds 600 | --requests N] [--seed N] [--only CASE]
       python3 Tests/Fuzz/methods.py --socket PATH --pid PID …   for a running service with the tenant acme

The program prints the seed at the start. To repeat a failed case, run it with this --seed and --only. Ids of jobs differ then.
"""
import argparse
import contextlib
import datetime
import decimal
import itertools
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LARGEST = 2 ** 53 - 1
KINDS = {-32700: {"parse-error"}, -32600: {"invalid-request", "line-too-long", "duplicate-id"}, -32601: {"method-not-found"},
         -32602: {"invalid-params"}, -32000: {"shutting-down"}, -32001: {"overloaded"}, -32800: {"request-cancelled"},
         1001: {"permission-denied"}, 1002: {"not-found"}, 1003: {"not-ready"}, 1004: {"conflict"}, 1005: {"quota-exceeded"},
         1006: {"expired"}, 1007: {"unavailable"}, 1008: {"not-configured"}}
# Values that the schema allows and the service refuses, because they depend on another parameter or on the workbook.
SEMANTIC = {"offset", "actor", "tenant"}


class Fault(Exception):
    pass


class Raw:
    """The JSON text of a value, in a form that json.dumps does not write."""

    def __init__(self, text):
        self.text = text


def written(value):
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


# The schema


class Schemas:
    """Checks values against the part of JSON Schema that the document uses."""

    def __init__(self, document):
        self.components = document["components"]["schemas"]

    def resolved(self, schema):
        reference = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
        return self.components[reference.rsplit("/", 1)[1]] if reference else schema

    def faults(self, value, schema, path="$"):
        schema = self.resolved(schema)
        if "oneOf" in schema:
            found = [self.faults(value, each, path) for each in schema["oneOf"]]
            return [] if sum(not each for each in found) == 1 else [f"{path}: fits {sum(not each for each in found)} of oneOf", *found[0]]
        kind = schema["type"]
        if kind == "null":
            return [] if value is None else [f"{path}: is not null"]
        if kind == "boolean":
            return [] if isinstance(value, bool) else [f"{path}: is no boolean"]
        if kind == "integer":
            if isinstance(value, bool) or not isinstance(value, (int, decimal.Decimal)) or value != int(value):
                return [f"{path}: is no integer"]
            return [] if schema["minimum"] <= value <= schema.get("maximum", LARGEST) else [f"{path}: is out of bounds"]
        if kind == "string":
            return self.text_faults(value, schema, path)
        if kind == "array":
            if not isinstance(value, list):
                return [f"{path}: is no array"]
            faults = [f"{path}: is too long"] if len(value) > schema.get("maxItems", len(value)) else []
            if schema.get("uniqueItems") and len({json.dumps(each, default=str) for each in value}) < len(value):
                faults.append(f"{path}: has an element twice")
            return faults + [fault for index, each in enumerate(value) for fault in self.faults(each, schema["items"], f"{path}.{index}")]
        if not isinstance(value, dict):
            return [f"{path}: is no object"]
        known = schema.get("properties", {})
        faults = [f"{path}.{name}: is missing" for name in schema.get("required", []) if name not in value]
        if schema.get("additionalProperties") is False:
            faults += [f"{path}.{name[:40]}: is unknown" for name in value if name not in known]
        return faults + [fault for name, each in value.items() if name in known for fault in self.faults(each, known[name], f"{path}.{name}")]

    def text_faults(self, value, schema, path):
        if not isinstance(value, str):
            return [f"{path}: is no string"]
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return [f"{path}: has {len(value)} characters"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{path}: is none of the words"]
        # In Python, $ also matches before a final line end. In ECMAScript, it matches only at the end.
        if "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
            return [f"{path}: does not match"]
        if schema.get("format") == "date-time":
            try:
                datetime.date(int(value[:4]), int(value[5:7]), int(value[8:10]))
            except ValueError:
                return [f"{path}: is no day"]
        return []


# Values


class Values:
    """Makes values: valid ones, extreme ones, and invalid ones. Each case has its own instance with its own random numbers."""

    TEXTS = ["", " ", "\0", "a\0b", "é", "e\u0301", "\u212a", "\ufeff", "\uffff", "\U0010ffff", "\u202eabc", "\u2028\u2029", "\x7f\x80\x9f",
             "'; DROP TABLE adminexport.job; --", "$1", "%s%n", "\\", "\"", "{}", "null", "NaN", "../../etc/passwd", "😀" * 80,
             "a\u0301" * 160, "\u0301" * 320, "ﷺ" * 320, "x" * 319, "x" * 320, "x" * 321, "x" * 5000, "\n", "\r\n", "acme", "ACME", "acme ",
             "owner@acme.example", "OWNER@acme.example", "owner@acme.example\0"]
    NUMBERS = ["0", "-0", "1", "-1", "5.0", "5e0", "1e2", "-0.0", "0e99", "1.5", "1e-1", "100", "101", "500", "501", "60000", "60001",
               "524288", "524289", "2147483647", "2147483648", "-2147483649", "4294967296", "9007199254740991", "-9007199254740991",
               "9.007199254740991e15", "9007199254740992.0", "1e16", "1e300", "1e308", "-1e308", "5e-324", "0." + "0" * 400 + "1", "20.0", "0.2e2",
               "200e-1", "1" + "0" * 15, "2." + "0" * 3000]
    TIMES = ["2026-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00Z",
             "300000-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2016-12-31T23:59:60Z", "2026-01-01T00:00:61Z",
             "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+14:00", "2026-01-01T00:00:00-23:59", "0001-01-01T00:00:00+23:59",
             "9999-12-31T23:59:59-23:59", "2026-01-01t00:00:00z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "infinity",
             "-infinity", "now", "1e300", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567891Z", "２０２６-01-01T00:00:00Z",
             "-2026-01-01T00:00:00Z", "+12026-01-01T00:00:00Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Z\n", "99999999999999999999"]
    CURSORS = ["0-0", "1-1", "999999999999999999-999999999999999999", "1000000000000000000-1", "9223372036854775807-9223372036854775807",
               "99999999999999999999-1", "-1-1", "1--1", "1-", "-", "1-1-1", "1 - 1", "+1-1", "1e3-1", "１-1", "0" * 18 + "-1", "0x1-1"]

    def __init__(self, chance, schemas, real):
        self.chance = chance
        self.schemas = schemas
        self.real = real

    def anything(self, depth=0):
        """Any JSON value that the scanner accepts."""
        pick = self.chance.randrange(9 if depth < 3 else 7)
        if pick == 0:
            return self.chance.choice([None, True, False])
        if pick in (1, 2):
            return Raw(self.chance.choice(self.NUMBERS))
        if pick < 7:
            return self.text(self.chance.choice(self.TEXTS + self.TIMES + self.CURSORS + self.real.ids))
        if pick == 7:
            return [self.anything(depth + 1) for _ in range(self.chance.choice([0, 1, 2, 5, 40]))]
        return {name: self.anything(depth + 1) for name in self.chance.sample(["tenant", "administrator", "job", "", "x", "é"], self.chance.randrange(5))}

    def text(self, value):
        """A string, sometimes with every character escaped."""
        if self.chance.random() < 0.9:
            return value
        units = value.encode("utf-16-be")
        return Raw('"' + "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2)) + '"')

    def right(self, name, schema):
        """A value that the schema allows; an existing one if there is one."""
        schema = self.schemas.resolved(schema)
        if "oneOf" in schema:
            return None if self.chance.random() < 0.1 else self.right(name, schema["oneOf"][0])
        if name == "actor" and self.chance.random() < 0.8:
            return dict(self.chance.choice(self.real.actors))
        kind = schema["type"]
        if kind == "boolean":
            return self.chance.random() < 0.5
        if kind == "integer":
            low, high = schema["minimum"], schema.get("maximum", LARGEST)
            number = self.chance.choice([low, high, min(high, low + 1), high - 1, self.chance.randint(low, min(high, low + 1000))])
            form = self.chance.random()
            return Raw(f"{number}.0" if form < 0.1 else f"{number}e0" if form < 0.15 else f"{number}0e-1" if form < 0.2 and number else f"{number}")
        if kind == "array":
            words = schema["items"].get("enum")
            if words:
                return self.chance.sample(words, self.chance.randint(0, len(words)))
            return [self.right(name, schema["items"]) for _ in range(self.chance.randint(0, 3))]
        if kind == "object":
            return {each: self.right(each, known) for each, known in schema["properties"].items()}
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        known = self.real.values(name)
        if known and self.chance.random() < 0.8:
            return self.text(self.chance.choice(known))
        if schema.get("format") == "uuid":
            text = "".join(self.chance.choice("0123456789abcdefABCDEF") for _ in range(32))
            return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])
        if schema.get("format") == "date-time":
            return self.chance.choice([each for each in self.TIMES if not self.schemas.text_faults(each, schema, "")])
        if name == "cursor":
            return self.chance.choice([each for each in self.CURSORS if not self.schemas.text_faults(each, schema, "")])
        size = self.chance.choice([schema.get("minLength", 0), schema.get("maxLength", 320), 1, 7])
        return self.text("".join(self.chance.choice("aZ09-_.@ é中😀\u0301\u202e") for _ in range(max(size, schema.get("minLength", 0)))))

    def wrong(self, name, schema):
        """A value that is close to what the schema allows, or of another kind. By chance, the schema may allow it."""
        schema = self.schemas.resolved(schema)
        if "oneOf" in schema:
            schema = self.schemas.resolved(schema["oneOf"][0])
        pick = self.chance.random()
        if pick < 0.3:
            return self.anything()
        kind = schema["type"]
        if kind == "integer":
            return Raw(self.chance.choice([*self.NUMBERS, str(schema["minimum"] - 1), str(min(LARGEST, schema.get("maximum", LARGEST) + 1))]))
        if kind == "array":
            words = schema["items"].get("enum", [1])
            return self.chance.choice([words * 2, [*words, words[0]], [words[0]] * 2000, [words[0], None], [[words[0]]], [words[0].upper()] if words != [1] else [],
                                       [self.anything()]])
        if kind == "object":
            value = {each: self.right(each, known) for each, known in schema["properties"].items()}
            each = self.chance.choice(list(value))
            change = self.chance.randrange(4)
            if change == 0:
                del value[each]
            elif change == 1:
                value[self.chance.choice(["x", "", each + " ", each.upper(), "é" * 400])] = self.anything(2)
            else:
                value[each] = self.wrong(each, schema["properties"][each])
            return value
        if kind == "boolean":
            return self.chance.choice([0, 1, "true", "false", None, [], Raw("1.0")])
        if schema.get("format") == "date-time":
            return self.text(self.chance.choice(self.TIMES))
        known = self.real.values(name) or ["x"]
        text = self.chance.choice(known + (self.CURSORS if name == "cursor" else []))
        change = self.chance.randrange(6)
        at = self.chance.randrange(len(text) + 1)
        if change == 0:
            text = text[:at] + self.chance.choice("\0 -0９9zé\u0301") + text[at:]
        elif change == 1:
            text = text[:at] + text[at + 1:]
        elif change == 2:
            text = text.upper()
        elif change == 3:
            text = text * self.chance.choice([2, 10, 100])
        elif change == 4:
            text = self.chance.choice(self.TEXTS + self.CURSORS + self.TIMES)
        else:
            text = "x" * (schema.get("maxLength", 320) + self.chance.choice([0, 1, 1000]))
        return self.text(text)


class Real:
    """Values that the service has returned, to be sent back to it unchanged and changed."""

    def __init__(self):
        self.actors = [{"tenant": "acme", "administrator": "owner@acme.example"}]
        self.jobs, self.cursors, self.workers, self.subscriptions = [], [], [], ["s1"]

    @property
    def ids(self):
        return self.jobs[-20:] + self.cursors[-5:] + self.workers

    def values(self, name):
        return {"job": self.jobs[-40:], "cursor": self.cursors[-20:] + self.jobs[-5:], "worker": self.workers,
                "subscription": self.subscriptions[-16:], "tenant": [each["tenant"] for each in self.actors],
                "administrator": [each["administrator"] for each in self.actors], "idempotencyKey": ["key-1", "key-2", "é" * 128]}.get(name, [])

    def learn(self, result):
        jobs = result.get("jobs", []) + ([result["job"]] if "job" in result else [])
        self.jobs += [each["id"] for each in jobs if each["id"] not in self.jobs]
        workers = result.get("workers")
        # In service.health, workers is a number.
        self.workers = [each["id"] for each in workers] if isinstance(workers, list) and workers else self.workers
        for name, known in (("nextCursor", self.cursors), ("subscription", self.subscriptions)):
            if name in result:
                known.append(result[name])


# The wire


class Peer:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.rest = b""

    def close(self):
        self.socket.close()

    def line(self, timeout=60):
        """The next line; None if none arrives in time."""
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 16, 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise Fault(f"the connection broke: {error}") from None
            for descriptor in descriptors:
                os.close(descriptor)
            if not data:
                raise Fault("the service closed the connection")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def send(self, data):
        self.socket.settimeout(60)
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Fault(f"cannot send: {error}") from None

    def result(self, method, **params):
        self.send(json.dumps({"jsonrpc": "2.0", "id": "own", "method": method, "params": params}).encode() + b"\n")
        while True:
            line = self.line()
            if line is None:
                raise Fault(f"the service did not answer {method}")
            reply = json.loads(line)
            if reply.get("id") == "own":
                return reply.get("result", {})


class Fuzzer:
    def __init__(self, path, pid, seed, bound):
        self.path, self.pid, self.seed, self.bound = path, pid, seed, bound
        self.peer = Peer(path)
        document = self.peer.result("rpc.discover")
        self.methods = {each["name"]: each for each in document["methods"]}
        self.errors = document["components"]["errors"]
        self.schemas = Schemas(document)
        self.changed = {param["name"]: param["schema"] for each in document["x-notifications"] if each["name"] == "export.changed"
                        for param in each["params"]}
        self.real = Real()
        self.counts, self.requests, self.faults, self.most = {}, 0, [], 0

    def resident(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        if any(line.startswith("State:\tZ") for line in text.splitlines()):
            raise Fault("the service process ended")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024

    def refresh(self):
        """Undoes changes that would prevent further cases, and collects the existing values."""
        for actor in self.real.actors:
            self.real.learn(self.peer.result("export.list", actor=actor, limit=3))
        self.real.learn(self.peer.result("audit.list", limit=2))
        self.real.learn(self.peer.result("service.workers"))
        self.peer.result("service.resume")
        for worker in self.real.workers:
            self.peer.result("service.drain", worker=worker, on=False)

    # One case

    def request(self, values, number):
        """A request, its text, the faults of its parameters by the schema, and whether the envelope is valid."""
        chance = values.chance
        name = list(self.methods)[number % len(self.methods)]
        params = {}
        for param in self.methods[name]["params"]:
            if param["required"] or chance.random() < 0.6:
                params[param["name"]] = values.right(param["name"], param["schema"])
        change = chance.random()
        declared = self.methods[name]["params"]
        if declared and change < 0.55:
            param = chance.choice(declared)
            params[param["name"]] = values.wrong(param["name"], param["schema"])
        elif declared and change < 0.6:
            params.pop(chance.choice(declared)["name"], None)
        elif change < 0.65:
            params[chance.choice(["x", "", "é" * 3000, "job ", "JOB", "actor.tenant", "idempotency\u212aey"])] = values.anything()
        text = written(params)
        if change > 0.97:
            text = chance.choice(["[]", "[1]", "[{}]", '["acme"]'])
        elif not params and chance.random() < 0.5:
            text = None
        return name, text

    def judge_params(self, name, text):
        """Whether the schema allows the parameters."""
        sent = json.loads(text if text is not None else "{}", parse_float=decimal.Decimal)
        declared = self.methods[name]["params"]
        needed = [each["name"] for each in declared if each["required"]]
        if sent == [] and not needed:
            return []
        schema = {"type": "object", "additionalProperties": False, "required": needed,
                  "properties": {each["name"]: each["schema"] for each in declared}}
        return self.schemas.faults(sent, schema, "")

    def case(self, number):
        chance = random.Random(f"{self.seed}:{number}")
        values = Values(chance, self.schemas, self.real)
        form = chance.random()
        if form < 0.08:
            return self.damaged(values, number)
        if form < 0.12:
            return self.batch(values, number)
        name, text = self.request(values, number)
        identity = chance.choice([number, str(number), f"é{number}"])
        line = '{"jsonrpc":"2.0","id":%s,"method":"%s"%s}' % (json.dumps(identity), name, "" if text is None else f',"params":{text}')
        self.peer.send(line.encode("utf-8", "surrogatepass") + b"\n")
        reply = self.reply(identity)
        self.judge(reply, identity, name, text)

    def reply(self, identity):
        """The reply with this id. Cancels a request that waits for a change."""
        asked, end = False, time.monotonic() + 60
        while time.monotonic() < end:
            line = self.peer.line(1 if not asked else 30)
            if line is None and not asked:
                asked = True
                self.peer.send(json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": identity}}).encode() + b"\n")
            if line is None:
                continue
            message = json.loads(line)
            if not self.notification(message):
                return message
        raise Fault("the service did not answer a request")

    def notification(self, message):
        if not isinstance(message, dict) or "method" not in message:
            return False
        if set(message) != {"jsonrpc", "method", "params"} or message["method"] != "export.changed":
            raise Fault(f"the description does not contain this notification: {message}")
        faults = [fault for name, schema in self.changed.items() for fault in self.schemas.faults(message["params"].get(name), schema, name)]
        if faults:
            raise Fault(f"a notification does not match its description: {faults}")
        return True

    def judge(self, reply, identity, name, text, anyone=False):
        if not isinstance(reply, dict) or reply.get("jsonrpc") != "2.0" or set(reply) not in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}):
            raise Fault(f"not a reply of JSON-RPC: {reply}")
        if not anyone and reply["id"] != identity:
            raise Fault(f"expected the id {identity!r}, got {reply['id']!r}")
        faults = None if name is None else self.judge_params(name, text)
        if "result" in reply:
            self.count(name, "ok")
            if name is not None:
                if faults:
                    raise Fault(f"accepted, although the description does not allow it: {faults[:3]}")
                found = self.schemas.faults(reply["result"], self.methods[name]["result"]["schema"])
                if found:
                    raise Fault(f"the result does not match its description: {found[:3]}")
            return self.real.learn(reply["result"])
        error = reply["error"]
        code, data = error.get("code"), error.get("data", {})
        if not isinstance(error.get("message"), str) or not error["message"] or not isinstance(data.get("retryable"), bool) \
                or data.get("kind") not in KINDS.get(code, ()) or data["kind"] not in self.errors:
            raise Fault(f"the description does not contain this error: {error}")
        if len(json.dumps(error)) > 4_096:
            raise Fault(f"an error of {len(json.dumps(error))} bytes")
        self.count(name, code)
        if code == -32602 and name is not None:
            self.judge_refusal(name, text, data, faults, error)
        elif faults and code not in (-32001, -32000):
            raise Fault(f"the reply to {faults[:3]} is {code}: {error['message']}")

    def judge_refusal(self, name, text, data, faults, error):
        param = data.get("param")
        declared = {each["name"] for each in self.methods[name]["params"]}
        if not isinstance(param, str):
            raise Fault(f"the error names no parameter: {error}")
        if not faults and param.split(".")[0] not in SEMANTIC:
            raise Fault(f"refused, although the description allows it: {error}")
        sent = json.loads(text or "{}")
        known = declared | set(sent if isinstance(sent, dict) else [])
        first = param.split(".")[0]
        if param != "" and not any(first == each or param == each or param.endswith("…") and each.startswith(param[:-1]) for each in known):
            raise Fault(f"the error names {param!r}, which the request does not contain: {error}")

    def batch(self, values, number):
        """Sends several requests in one line and checks each reply, in order."""
        asked = []
        for place in range(values.chance.choice([1, 2, 5, 32])):
            name, text = self.request(values, values.chance.randrange(1_000))
            asked.append((f"{number}.{place}", name, text))
        line = ",".join('{"jsonrpc":"2.0","id":%s,"method":"%s"%s}' % (json.dumps(identity), name, "" if text is None else f',"params":{text}')
                        for identity, name, text in asked)
        if line.count(",") > 3_000 or len(line) > 900_000:
            return
        self.peer.send(f"[{line}]\n".encode("utf-8", "surrogatepass"))
        replies = self.reply(None)
        if not isinstance(replies, list):
            return self.judge(replies, None, None, None)
        if len(replies) != len(asked):
            raise Fault(f"{len(replies)} replies for {len(asked)} requests")
        for reply, (identity, name, text) in zip(replies, asked):
            taken = self.methods[name]["x-batch"]
            self.judge(reply, identity, name if taken else None, text)

    def damaged(self, values, number):
        """Sends a request with changed bytes. Any valid reply is accepted, and the service must answer the next request."""
        chance = values.chance
        name, text = self.request(values, number)
        line = bytearray(('{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (number, name, text or "{}")).encode("utf-8", "surrogatepass"))
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.randrange(len(line))
            change = chance.randrange(5)
            if change == 0:
                line[at] = chance.randrange(256)
            elif change == 1:
                del line[at:at + chance.choice([1, 2, 20])]
            elif change == 2:
                line[at:at] = chance.choice([b'"', b"\\", b"{", b"}", b"[" * 40, b"]", b",", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"0" * 400, b"9" * 30,
                                             b'{"a":1,"a":2}', b"1e999", b"\0", b" " * 3000, b"\xf0\x9f\x98", b"null", b"-", b"[1," * 100])
            elif change == 3:
                line[at:at] = line[at:at + chance.choice([1, 10, 100])]
            else:
                line[at:at + 1] = b"\\u%04x" % chance.randrange(65_536)
            if not line:
                line = bytearray(b"{")
        line = bytes(line).replace(b"\n", b" ")
        probe = f"probe-{number}"
        self.peer.send(line + b'\n{"jsonrpc":"2.0","id":"%s","method":"service.info"}\n' % probe.encode())
        end = time.monotonic() + 60
        is_probed = False
        while True:
            message = self.peer.line(0 if is_probed else 30)
            if message is None:
                if is_probed:
                    break
                raise Fault("the service did not answer the next request")
            message = json.loads(message)
            if self.notification(message):
                continue
            if isinstance(message, dict) and message.get("id") == probe:
                self.judge(message, probe, "service.info", None)
                is_probed = True
            else:
                for each in message if isinstance(message, list) else [message]:
                    self.judge(each, None, None, None, anyone=True)
            if time.monotonic() > end:
                raise Fault("replies do not end")
        # A late reply would be taken for the reply to another case.
        self.reconnect()

    def count(self, name, outcome):
        key = (name or "any", outcome)
        self.counts[key] = self.counts.get(key, 0) + 1

    def reconnect(self):
        self.peer.close()
        end = time.monotonic() + 30
        while True:
            self.peer = Peer(self.path)
            try:
                return self.peer.result("service.info")
            except Fault:
                # The service has not removed the previous connection yet.
                if time.monotonic() > end:
                    raise
                self.peer.close()
                time.sleep(0.05)

    def run(self, numbers, seconds):
        end = None if seconds is None else time.monotonic() + seconds
        for number in numbers:
            if end is not None and time.monotonic() > end:
                break
            try:
                if number % 200 == 0:
                    self.reconnect()
                    self.refresh()
                    self.most = max(self.most, self.resident())
                    if self.most > self.bound:
                        raise Fault(f"resident memory is {self.most:.0f} MiB, above the limit")
                self.requests += 1
                self.case(number)
                if number % 50 == 0:
                    self.resident()
            except Fault as fault:
                self.faults.append(number)
                print(f"case {number} of seed {self.seed}: {str(fault)[:1500]}", flush=True)
                print(f"    {self.describe(number)}", flush=True)
                if len(self.faults) >= 20:
                    break
                try:
                    self.resident()
                    self.reconnect()
                except (Fault, OSError) as gone:
                    print(f"the service does not answer any more: {gone}", flush=True)
                    break
        self.most = max(self.most, self.resident()) if pathlib.Path(f"/proc/{self.pid}").exists() else self.most

    def describe(self, number):
        chance = random.Random(f"{self.seed}:{number}")
        values = Values(chance, self.schemas, self.real)
        form = chance.random()
        if form < 0.12:
            return "damaged bytes" if form < 0.08 else "a batch"
        name, text = self.request(values, number)
        return f"{name} {(text or '')[:600]}"


@contextlib.contextmanager
def service():
    """A daemon with generated tenants on the private PostgreSQL of Scripts/postgres.sh. Yields its socket and its process."""
    binary = pathlib.Path(os.environ.get("BIN_DIR", ROOT / ".build/debug")).resolve() / "adminexportd"
    folder = pathlib.Path(os.environ["SCRATCH"])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ADMINEXPORT_")}
    sockets, user = os.environ["PG_SOCKET_DIR"], os.environ["PG_SUPERUSER"]
    subprocess.run([f"{os.environ['PG_BIN']}/createdb", "-h", sockets, "-U", user, "fuzz"], check=True)
    clean["ADMINEXPORT_DATABASE_URL"] = f"postgresql:///fuzz?host={sockets}&user={user}"
    subprocess.run([binary, "migrate", "--with-directory"], check=True, env=clean, stdout=subprocess.DEVNULL)
    for tenant in ("acme", "globex"):
        subprocess.run([binary, "demo-data", "--tenant", tenant, "--administrators", "100"], check=True, env=clean, stdout=subprocess.DEVNULL)
    (folder / "config.yaml").write_text(f'callers:\n- {{user: "{os.getuid()}", tenants: "*", grants: [export, operator]}}\n')
    (folder / "archives").mkdir()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([binary, "serve", "--socket", folder / "s", "--archives", folder / "archives"], stderr=log,
                                   env={**clean, "ADMINEXPORT_CONFIG": str(folder / "config.yaml")})
    try:
        end = time.monotonic() + 60
        while not (folder / "s").exists():
            if process.poll() is not None or time.monotonic() > end:
                sys.exit("the service does not start:\n" + (folder / "log").read_text())
            time.sleep(0.05)
        yield str(folder / "s"), process, folder / "log"
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="run for this time (default: 600 without --requests)")
    parser.add_argument("--requests", type=int, help="run this number of cases")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", type=int, help="run only this case")
    parser.add_argument("--memory", type=float, default=256, help="the limit of resident memory in MiB (default: %(default)s)")
    parser.add_argument("--socket")
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    if options.seconds is None and options.requests is None:
        options.seconds = 600
    print(f"seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        if options.socket:
            path, pid, process, log = options.socket, options.pid, None, None
        else:
            path, process, log = stack.enter_context(service())
            pid = process.pid
        start = time.monotonic()
        fuzzer = Fuzzer(path, pid, options.seed, options.memory)
        if process:
            fuzzer.real.actors += [{"tenant": "globex", "administrator": "owner@globex.example"}]
        for actor in fuzzer.real.actors:
            fuzzer.real.learn(fuzzer.peer.result("export.start", actor=actor))
        numbers = itertools.count(1) if options.requests is None else range(1, options.requests + 1)
        fuzzer.run(numbers if options.only is None else [options.only], options.seconds)
        seconds = time.monotonic() - start
        if process and process.poll() is not None:
            print(f"the service ended with {process.returncode}\n" + "\n".join(log.read_text().splitlines()[-40:]))
            fuzzer.faults.append(0)
        outcomes = {}
        for (_, outcome), count in fuzzer.counts.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        silent = [name for name in fuzzer.methods if (name, "ok") not in fuzzer.counts]
        print(f"{fuzzer.requests:,} cases in {seconds:.0f} s, at most {fuzzer.most:.0f} MiB resident; outcomes: "
              + ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(outcomes.items(), key=lambda each: -each[1]))
              + (f"; never answered with a result: {', '.join(silent)}" if silent else ""))
        print(f"{len(fuzzer.faults)} faults")
        return 1 if fuzzer.faults else 0


if __name__ == "__main__":
    sys.exit(main())
