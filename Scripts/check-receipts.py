#!/usr/bin/env python3
"""Makes a workbook and its receipt, and verifies them with programs that this project did not write: securesystemslib and OpenSSL.

Then it flips bits: each bit of the payload, its type and the signature for securesystemslib, and a part of them, and of the workbook, for the
programs that need a process for each check. None of them may accept a change.

usage: Scripts/postgres.sh .venv/bin/python3 Scripts/check-receipts.py [--keep FOLDER]
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Chaos"))
from system import BIN, SCRATCH, Cluster, System, until  # noqa: E402

from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: E402
from securesystemslib.dsse import Envelope  # noqa: E402
from securesystemslib.exceptions import VerificationError  # noqa: E402
from securesystemslib.signer import SSlibKey  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--keep", type=pathlib.Path, help="a folder for the workbook, the receipt and the public key")
options = parser.parse_args()

folder = SCRATCH / "receipts"
folder.mkdir()
workbook, receipt = folder / "acme.xlsx", folder / "acme.xlsx.receipt.json"
with System(Cluster(), administrators=2_000) as system:
    system.serve(workers=1)
    until("a worker is registered", lambda: system.workers() > 0)
    environment = {**os.environ, "ADMINEXPORT_SOCKET": str(system.socket), "ADMINEXPORT_TENANT": "acme",
                   "ADMINEXPORT_AS": "owner@acme.example"}
    subprocess.run([BIN / "adminexport", "run", "-q", "--receipt", "--include-about", "-o", workbook], env=environment,
                   check=True, stdout=subprocess.DEVNULL)
    [public] = pathlib.Path(system.keys["ADMINEXPORT_SIGNING_PUBLIC_KEYS"]).glob("*.pem")
    key_file = pathlib.Path(shutil.copy(public, folder))
if options.keep:
    options.keep.mkdir(parents=True, exist_ok=True)
    for path in (workbook, receipt, key_file):
        shutil.copy(path, options.keep)

envelope = json.loads(receipt.read_text())
payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
[signature] = envelope["signatures"]
signed = base64.b64decode(signature["sig"])
content = workbook.read_bytes()
failures = []


def check(what, holds):
    print(f"{'ok' if holds else 'NOT OK'}  {what}", flush=True)
    if not holds:
        failures.append(what)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def lib(payload, kind, signed):
    """Whether securesystemslib accepts an envelope."""
    key = SSlibKey.from_crypto(load_pem_public_key(key_file.read_bytes()), keyid=signature["keyid"])
    try:
        Envelope.from_dict({
            "payload": base64.b64encode(payload).decode(), "payloadType": kind,
            "signatures": [{"keyid": signature["keyid"], "sig": base64.b64encode(signed).decode()}]}).verify([key], 1)
        return True
    except VerificationError:
        return False


def openssl(payload, kind, signed):
    """Whether OpenSSL accepts a signature of the pre-authentication encoding."""
    name = kind.encode("utf-8", "surrogateescape")
    (folder / "message").write_bytes(b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload))
    (folder / "signature").write_bytes(signed)
    return subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key_file, "-in", folder / "message",
         "-sigfile", folder / "signature"], capture_output=True).returncode == 0


def ours(file=workbook, receipt=receipt):
    return subprocess.run([BIN / "adminexport", "verify", file, receipt, "--key", key_file], capture_output=True).returncode == 0


def bits(data, step=1):
    return range(0, len(data) * 8, step)


statement = json.loads(payload)
check("securesystemslib accepts the receipt", lib(payload, kind, signed))
check("openssl accepts the receipt", openssl(payload, kind, signed))
check("adminexport accepts the workbook and the receipt", ours())
check("the subject is the workbook", statement["subject"] == [
    {"name": statement["subject"][0]["name"], "digest": {"sha256": hashlib.sha256(content).hexdigest()}}])
name = kind.encode()
check(f"securesystemslib refuses each flipped bit of the payload ({len(payload) * 8})",
      not any(lib(flipped(payload, bit), kind, signed) for bit in bits(payload)))
check(f"securesystemslib refuses each flipped bit of the payloadType ({len(name) * 8})",
      not any(lib(payload, flipped(name, bit).decode(errors="replace"), signed) for bit in bits(name)))
check(f"securesystemslib refuses each flipped bit of the signature ({len(signed) * 8})",
      not any(lib(payload, kind, flipped(signed, bit)) for bit in bits(signed)))
# OpenSSL is a process for each check.
check(f"openssl refuses every 53rd flipped bit of the payload ({len(bits(payload, 53))})",
      not any(openssl(flipped(payload, bit), kind, signed) for bit in bits(payload, 53)))
check("openssl refuses every 7th flipped bit of the payloadType",
      not any(openssl(payload, flipped(name, bit).decode("utf-8", "surrogateescape"), signed) for bit in bits(name, 7)))
check("openssl refuses every 7th flipped bit of the signature",
      not any(openssl(payload, kind, flipped(signed, bit)) for bit in bits(signed, 7)))
digest = hashlib.sha256(content).hexdigest()
check(f"another SHA-256 for every 997th flipped bit of the workbook ({len(bits(content, 997))})",
      all(hashlib.sha256(flipped(content, bit)).hexdigest() != digest for bit in bits(content, 997)))
changed = folder / "changed.xlsx"


def accepts_changed(bit):
    changed.write_bytes(flipped(content, bit))
    return ours(changed)


places = [*range(0, 64), *bits(content, max(1, len(content) * 8 // 100)), len(content) * 8 - 1]
check(f"adminexport refuses a workbook with a flipped bit ({len(places)} places)", not any(map(accepts_changed, places)))
changed_receipt = folder / "changed.json"


def accepts_receipt(**members):
    changed_receipt.write_text(json.dumps({**envelope, **members}))
    return ours(receipt=changed_receipt)


check("adminexport refuses every 101st flipped bit of the payload", not any(
    accepts_receipt(payload=base64.b64encode(flipped(payload, bit)).decode()) for bit in bits(payload, 101)))
check("adminexport refuses every 7th flipped bit of the payloadType", not any(
    accepts_receipt(payloadType=flipped(name, bit).decode(errors="replace")) for bit in bits(name, 7)))
check("adminexport refuses every 7th flipped bit of the signature", not any(
    accepts_receipt(signatures=[{**signature, "sig": base64.b64encode(flipped(signed, bit)).decode()}]) for bit in bits(signed, 7)))
print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
