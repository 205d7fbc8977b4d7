#!/usr/bin/env python3
"""Checks evidence written by `lapsed evidence`: python3 verify_evidence.py FILE [PUBLIC_KEY.pem]

Only Python's own library is needed, and no part of lapsed. docs/evidence.md describes the format. Ends with 0
when everything holds, and with 1 and a sentence when something does not. Give the public key that you were
handed at another time and by another way: the one in the file proves only that the file agrees with itself.
"""

import base64
import hashlib
import json
import sys

GENESIS = "0" * 64
FIELDS = ["seq", "at_us", "actor", "event", "person", "case_id", "step", "plan", "user_id", "clause", "detail"]
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410

# Ed25519 (RFC 8032, section 5.1): the curve -x^2 + y^2 = 1 + d x^2 y^2 over the integers modulo P.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


class Wrong(Exception):
    """What does not hold."""


def need(holds, sentence):
    if not holds:
        raise Wrong(sentence)


def plus(a, b):
    """Adds two points in extended coordinates (X, Y, Z, T), with x = X/Z, y = Y/Z and T = XY/Z."""
    u, v = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    s, t = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = v - u, t - s, t + s, v + u
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, point):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = plus(total, point)
        point = plus(point, point)
        number >>= 1
    return total


def point_of(text):
    """A point from its 32 bytes; None where they are none."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = point_of(key), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), plus(r, times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def hash_of(head, fields):
    digest = hashlib.sha256(head.encode())
    for field in fields:
        if field is None:
            digest.update(b"-,")
        else:
            text = field.encode()
            digest.update(str(len(text)).encode() + b":" + text + b",")
    return digest.hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def key_of(pem):
    lines = pem.strip().splitlines()
    need(lines[0] == "-----BEGIN PUBLIC KEY-----" and lines[-1] == "-----END PUBLIC KEY-----", "the public key is not in PEM")
    der = base64.b64decode("".join(lines[1:-1]), validate=True)
    need(der[:12] == SPKI_ED25519 and len(der) == 44, "the public key is not an Ed25519 key")
    return der[12:]


def check_segment(segment, key, before):
    """Follows one run of rows up to its signed line; gives its rows and where it ends."""
    need(set(segment) == {"prev", "rows", "checkpoint"}, "a run of rows has parts that are not known")
    link, seq, rows = segment["prev"], None, []
    for row in segment["rows"]:
        if set(row) == {"fields", "former"}:
            need(len(row["fields"]) == len(FIELDS), "a row has not eleven fields")
            number = int(row["fields"][0])
            rows.append(dict(zip(FIELDS, row["fields"])))
            if row["former"]:
                link = hash_of("lapsed audit 1\n", row["fields"] + [link])
            else:
                link = hash_of("lapsed audit 2\n", [hash_of("lapsed audit row\n", row["fields"]), link])
        else:
            need(set(row) == {"seq", "digest"}, "a row has parts that are not known")
            number = row["seq"]
            link = hash_of("lapsed audit 2\n", [row["digest"], link])
        need(seq is None or number == seq + 1, f"row {number} does not follow row {seq}")
        need(number > before[0], f"row {number} comes twice or too late")
        need(number > 1 or segment["prev"] == GENESIS, "the first row does not begin the chain")
        need(number != before[0] + 1 or seq is not None or segment["prev"] == before[1] or before[0] == 0,
             f"row {number} does not follow from the row before")
        seq = number
    need(seq is not None, "a run of rows is empty")
    line = segment["checkpoint"]
    if key is None:
        need(line is None, "a signed line has no key to check it by")
        return rows, (seq, link), None
    need(line is not None, f"rows up to {seq} are not covered by a signed line; make the evidence anew")
    words = line.split(" ")
    need(len(words) == 7 and words[:2] == ["lapsed-checkpoint", "1"], "a signed line is not of the known form")
    need(is_signed(key, " ".join(words[:6]).encode(), bytes.fromhex(words[6])), f"signed line {words[2]} is not signed by the key")
    need(words[3] == str(seq), f"signed line {words[2]} is about another row than {seq}")
    need(words[4] == link, f"the rows up to {seq} are not those that were signed: something was changed")
    return rows, (seq, link), int(words[2])


def check(text, own_key=None):
    """Checks a whole file; gives what it proves."""
    evidence = json.loads(text)
    need(text == canonical(evidence) + "\n", "the file is not as lapsed writes it: something was changed")
    need(set(evidence) == {"format", "record", "audit"}, "the file has parts that are not known")
    need(evidence["format"] == "lapsed evidence 1", "this format is not known")
    audit = evidence["audit"]
    need(set(audit) == {"public_key", "segments"}, "the proof has parts that are not known")
    key = None if audit["public_key"] is None else key_of(audit["public_key"])
    need(own_key is None or key == own_key, "the file was not signed by the key given")
    rows, before, line = [], (0, GENESIS), 0
    for segment in audit["segments"]:
        found, before, number = check_segment(segment, key, before)
        rows += found
        need(number is None or number > line, "the signed lines are not in their order")
        line = number or line
    made = [row for row in rows if row["event"] == "evidence.made"]
    need(made, "no row of the audit says that this evidence was made")
    digest = hashlib.sha256(canonical(evidence["record"]).encode()).hexdigest()
    need(json.loads(made[-1]["detail"]) == {"sha256": digest}, "the record is not the one that the audit has")
    person = evidence["record"]["person"]["id"]
    need(made[-1]["person"] == person, "the record is about somebody else than the audit says")
    return {"rows": len(rows), "segments": len(audit["segments"]), "person": evidence["record"]["person"]["shown"],
            "key": None if key is None else key.hex()}


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[1], "rb") as file:
            text = file.read().decode()
        own_key = None
        if len(arguments) == 3:
            with open(arguments[2], encoding="ascii") as file:
                own_key = key_of(file.read())
        found = check(text, own_key)
    except Wrong as wrong:
        print(f"NOT SOUND: {wrong}")
        return 1
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
        print(f"NOT SOUND: the file can't be read as evidence ({problem})")
        return 1
    print(f"sound: {found['rows']} rows about {found['person']} in {found['segments']} runs, and the record is theirs")
    if found["key"] is None:
        print("The rows are chained, but not signed: no checkpoints were kept.")
    elif own_key is None:
        print(f"Signed by the key in the file, {found['key']}; compare it with the one that you were handed.")
    else:
        print("Signed by the key given.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
