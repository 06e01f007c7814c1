"""JSON: the service refuses text that is not strict JSON, with the offset, as a line and within params; it accepts the rest."""
from suite import add
from wire import abbreviated, is_error, is_result

# Name, text, and the offset of the fault if it is certain.
REFUSED = [
    ("nothing but a word", b"nonsense", 0), ("an unclosed object", b"{", 1), ("an unclosed array", b"[1", 2),
    ("an unclosed string", b'"abc', 4), ("a trailing comma in an array", b"[1,]", 3),
    ("a trailing comma in an object", b'{"a":1,}', 7), ("a leading comma", b"[,1]", 1), ("two commas", b"[1,,2]", 3),
    ("a missing comma", b"[1 2]", 3), ("a missing colon", b'{"a" 1}', 5), ("a missing value", b'{"a":}', 5),
    ("a name without quotes", b"{a:1}", 1), ("a number as a name", b"{1:1}", 1), ("single quotes", b"{'a':1}", 1),
    ("a wrong bracket", b"[1}", 2), ("a wrong brace", b'{"a":1]', 6), ("a comment", b"[1/**/]", 2),
    ("a comment of one line", b"[1] // x", 4), ("more after the value", b"{} {}", 3), ("a bracket too many", b"[1]]", 3),
    ("NaN", b"[NaN]", 1), ("Infinity", b"[Infinity]", 1), ("minus Infinity", b"[-Infinity]", 2),
    ("True with a capital", b"[True]", 1), ("a literal that is cut", b"[nul]", 1), ("a literal that goes on", b"[nullx]", 5),
    ("a leading zero", b"[01]", 1), ("a leading zero after minus", b"[-01]", 1), ("a plus sign", b"[+1]", 1),
    ("a point without digits before it", b"[.5]", 1), ("a point without digits after it", b"[1.]", 3),
    ("an exponent without digits", b"[1e]", 3), ("an exponent of a sign alone", b"[1e+]", 4), ("a minus sign alone", b"[-]", 2),
    ("a hexadecimal number", b"[0x1]", 2), ("an integer of 2^53", b"[9007199254740992]", 1),
    ("an integer of -2^53", b"[-9007199254740992]", 1), ("an integer of a hundred digits", b"[" + b"9" * 100 + b"]", 1),
    ("a number beyond a double", b"[1e400]", 1), ("a negative number beyond a double", b"[-1e400]", 1),
    ("an unknown escape", b'["\\x"]', 2), ("an escape of three digits", b'["\\u123"]', 2), ("an escape of no digits", b'["\\uzzzz"]', 2),
    ("a high surrogate alone", b'["\\ud800"]', 2), ("a low surrogate alone", b'["\\udc00"]', 2),
    ("a high surrogate before another character", b'["\\ud800\\u0041"]', 2), ("two high surrogates", b'["\\ud800\\ud800"]', 2),
    ("a tab within a string", b'["\t"]', 2), ("a NUL within a string", b'["\0"]', 2), ("a NUL outside of a string", b"[\0]", 1),
    ("a form feed between values", b"[\f1]", 1), ("a no-break space between values", b"[\xc2\xa01]", 1),
    ("a byte order mark", b"\xef\xbb\xbf[]", None), ("a byte that is never UTF-8", b'["\xff"]', 2),
    ("a continuation byte alone", b'["\x80"]', 2), ("an overlong sequence of two bytes", b'["\xc0\x80"]', 2),
    ("an overlong sequence of three bytes", b'["\xe0\x80\x80"]', 2), ("a surrogate in UTF-8", b'["\xed\xa0\x80"]', 2),
    ("a character beyond U+10FFFF", b'["\xf4\x90\x80\x80"]', 2), ("a sequence that is cut", b'["\xe2\x82"]', 2),
    ("UTF-16", "[1]".encode("utf-16-le"), 1), ("a name twice", b'{"a":1,"a":2}', 7),
    ("a name twice, once escaped", b'{"a":1,"\\u0061":2}', 7), ("a name twice, nested", b'[{"b":{"c":1,"c":2}}]', 13),
    ("the empty name twice", b'{"":1,"":2}', 6), ("thirty-three levels of arrays", b"[" * 33 + b"]" * 33, 32),
    ("a hundred thousand brackets", b"[" * 100_000, 32), ("a hundred thousand objects", b'{"a":' * 100_000, None),
    ("more values than 65,536", b"[" + b"1," * 70_000 + b"1]", None), ("more values than 4,096", b"[" + b"1," * 4_096 + b"1]", None),
    ("a name twice among a thousand", b"{" + b"".join(b'"%d":1,' % n for n in range(1_000)) + b'"500":1}', None),
]

TAKEN = [
    ("the largest integers", b"[9007199254740991,-9007199254740991]"), ("minus zero", b"[-0]"),
    ("numbers with points and exponents", b"[0.5,-1.25e+10,1E-7,0e0]"), ("a number too small for a double", b"[1e-400]"),
    ("every escape", b'["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041"]'), ("an escaped NUL", b'["\\u0000"]'),
    ("a pair of surrogates", b'["\\ud83d\\ude00"]'), ("characters of each length", '["aé中😀"]'.encode()),
    ("U+2028 as it is", "[\"\u2028\"]".encode()), ("DEL within a string", b'["\x7f"]'), ("the empty name", b'{"":1}'),
    ("names that only look the same", '{"é":1,"e\u0301":2}'.encode()), ("names that differ in case", b'{"a":1,"A":2}'),
    ("spaces and tabs between tokens", b'[ 1 ,\t{ "a" : [ ] } ]'), ("thirty levels of arrays", b"[" * 30 + b"]" * 30),
    ("a noncharacter", '["\uffff"]'.encode()), ("a byte order mark within a string", '["\ufeff"]'.encode()),
]


def _refused(text, offset, before):
    def body(service):
        with service.peer() as peer:
            data = {} if offset is None else {"offset": before + offset}
            peer.send(text + b"\n")
            is_error(peer.reply(), -32700, "parse-error", **data)
            is_result(peer.ask("service.info", id="next"), "next")
    return body


def _taken(text):
    def body(service):
        with service.peer() as peer:
            peer.send(b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":{"x":' + text + b"}}\n")
            reply = peer.reply()
            assert reply.get("error", {}).get("code") == -32602, f"{abbreviated(text)}: {abbreviated(reply)}"
            peer.send(text + b"\n")
            reply = peer.reply()
            reply = reply[0] if isinstance(reply, list) else reply
            is_error(reply, -32600)
    return body


START = b'{"jsonrpc":"2.0","id":1,"method":"service.info","params":'
for name, text, offset in REFUSED:
    add(f"json: {name} is refused, with its offset", _refused(text, offset, 0))
    # Within params, the depth is one more, and the offset includes the text before.
    inner = None if "unclosed" in name else 31 if offset == 32 else offset
    add(f"json: {name} is refused within params", _refused(START + text + b"}", inner, len(START)))
for name, text in TAKEN:
    add(f"json: {name}: accepted as JSON", _taken(text))
