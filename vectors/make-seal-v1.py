# SPDX-License-Identifier: Apache-2.0
"""Writes seal-v1.json: an implementation of the seal's encoding that shares nothing with the TypeScript
one but the text of its layout (packages/kernel/src/label.ts). Run: python3 vectors/make-seal-v1.py"""
import json
import pathlib
import random
import struct
import uuid

CLASSES = ["restricted", "sensitive", "operational", "public"]
NAMES = ["cellId", "residency", "origin", "category", "purpose", "collectionId", "fieldSet"]


def encode(seal):
    out = struct.pack(">B16s16sIiB", 1, uuid.UUID(seal["tenantId"]).bytes, uuid.UUID(seal["keyId"]).bytes,
                      seal["keyVersion"], seal["lawDate"], CLASSES.index(seal["class"]))
    for text in [seal[name] for name in NAMES]:
        out += struct.pack("B", len(text.encode())) + text.encode()
    out += struct.pack("B", len(seal["regimes"]))
    for text in seal["regimes"]:
        out += struct.pack("B", len(text.encode())) + text.encode()
    return out + uuid.UUID(seal["recordId"]).bytes


rng = random.Random(20261120)


def new_uuid(version):
    bits = int.from_bytes(rng.randbytes(16), "big") & ~(0xF << 76) & ~(0x3 << 62)
    return str(uuid.UUID(int=bits | (version << 76) | (2 << 62)))


def seal(**change):
    base = {
        "tenantId": new_uuid(7), "cellId": "eu-de/main", "residency": "eu-de", "origin": "de", "regimes": ["gdpr"],
        "class": "restricted", "category": "contact", "purpose": "order-fulfilment", "collectionId": "customers",
        "fieldSet": "contact", "keyId": new_uuid(7), "keyVersion": 1, "lawDate": 20777, "recordId": new_uuid(8),
    }
    return {**base, **change}


cases = [
    ("the usual", seal()),
    ("each class: sensitive", seal(**{"class": "sensitive"})),
    ("each class: operational", seal(**{"class": "operational"})),
    ("each class: public", seal(**{"class": "public"})),
    ("four regimes", seal(origin="channel-islands", regimes=["gdpr", "gg-dpl", "je-dpl", "uk-gdpr"])),
    ("largest key version", seal(keyVersion=2**32 - 1)),
    ("a date before 1970", seal(lawDate=-25567)),
    ("longest names", seal(category="c" * 63, purpose="p" * 63, collectionId="k" * 63, fieldSet="f" * 63)),
    ("a single-tenant stamp", seal(cellId="eu-de/bank1")),
]
vectors = [{"what": what, "seal": value, "encoded": encode(value).hex()} for what, value in cases]
path = pathlib.Path(__file__).with_name("seal-v1.json")
path.write_text(json.dumps({"format": "bailiwick/seal/v1", "vectors": vectors}, indent=2) + "\n")
print(f"{len(vectors)} vectors")
