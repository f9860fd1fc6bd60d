#!/usr/bin/env python3
"""Check an evidence package without the software that made it, and without a network.

    python3 verify_evidence.py [--sm3] TRUST_FILE PACKAGE_FOLDER...

It needs Python 3.11, `pip install cryptography`, and OpenSSL's command. It is one file on purpose: read it
before you believe it. It shares no line with the software it checks; both follow RFC 8493, 8785, 3161, 9162,
DSSE and c2sp.org's notes. All keys are from the trust file, whose digest its publisher gives in another way.
A supplement is checked with all packages of its event before it beside it, and else NOT CHECKED.
Exit status: 0 all holds, 1 something does not, 2 something was not checked, as where devices or SM2 signed.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SECOND, LONGEST_TO_STAMP, LONGEST_TO_LOG = timedelta(seconds=1), timedelta(days=31), timedelta(days=3)
TAGS = {"bagit.txt", "bag-info.txt", "manifest-sha256.txt"}
SEAL = {f"seal/statement.{end}" for end in ("dsse.json", "pae", "sig", "tsr")} | {"seal/entry.sha256"}
MUST_HAVE = TAGS | SEAL | {"seal/inclusion.tlog-proof", "data/event.json", "data/arrival.json"}
MAY_HAVE = {"tagmanifest-sha256.txt", "manifest-sm3.txt", "data/reading.json"}
PAYLOAD = {f"data/{name}" for name in ("derived", "images", "rules", "station", "video", "wire")}
LIFE, PAYLOAD_TYPE = {"valid_from", "valid_to", "revoked_at"}, "application/vnd.in-toto+json"
KEY = {"name", "ed25519", "sm2", "key", "root_pem", "station", "device"}
FORM = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:x-zhichao:evidence-package:v1"}
SETTLED, PLACE = ("header", "record", "screening", "weighing"), {"path": 0, "headers": 0}
BAG_INFO = (
    r"Bag-Software-Agent: zhichao evidence/1\nExternal-Identifier: ([0-9a-f]{32})\n"
    r"Internal-Sender-Identifier: (EV-\1(?:\.s([1-9][0-9]{0,17}))?)\nPayload-Oxum: ([0-9]+\.[0-9]+)\n"
)
PROOF = (
    r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]{0,18})\n((?:[^\n]+\n)*)"
    r"\n(([^\n]+)\n([1-9][0-9]{0,18})\n([^\n]+)\n)\n((?:— [^\s+]+ [^\n]+\n){1,64})"
)


def expect(holds: object, otherwise: str, error: type[Exception] = ValueError) -> None:
    if not holds:
        raise error(otherwise)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def unbase64(text: str, length: int | None = None) -> bytes:
    data = base64.b64decode(text, validate=True)
    expect(base64.b64encode(data).decode() == text and length in (None, len(data)), "unfit base64")
    return data


def document(data: bytes) -> dict[str, Any]:
    """RFC 8785 canonical JSON of integers only: a fraction, read as text, is spelt another way."""
    value = json.loads(data.decode(), parse_float=str, parse_constant=str)
    spelt = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    expect(isinstance(value, dict) and spelt.encode() == data, "it is not canonical JSON")
    return dict(value)


def listing(data: bytes) -> dict[str, str]:
    """Digests by path, in the form of sha256sum, sorted."""
    digests = {p: d for d, p in re.findall(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._/-]*)\n", data.decode())}
    spelt = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
    expect(spelt and spelt.encode() == data, "it is not made of sorted lines of sha256sum")
    return digests


def openssl(*arguments: object, stdin: bytes = b"") -> str:
    try:
        Path("/dev/stdin").lstat()  # without it, as on Windows, every root would look refused
        ran = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    except OSError:
        raise NotImplementedError("the command openssl is not on this machine, or no /dev/stdin") from None
    expect(ran.returncode == 0, "openssl refuses it")
    return ran.stdout.decode("latin-1")


def trusted(file: dict[str, Any]) -> dict[str, Any]:
    """By what signatures name a key by: the key, and its entry with the dates of its life."""
    entries = [one for kind in file.values() for one in kind if isinstance(one, dict)]
    expect(all(entry.keys() <= LIFE | KEY for entry in entries), "a key has members that nobody knows")
    expect(file["format"] == "zhichao-trust/1" and file["time_authorities"], "it is no trust file")
    keys: dict[str, Any] = {"devices": [], **file, "logs": {}, "witnesses": {}}
    keys["services"] = {sha256(key := unbase64(one["ed25519"])): (key, one) for one in file["services"]}
    for kind in ("logs", "witnesses"):
        for entry in (one if isinstance(one, dict) else {"key": one} for one in file[kind]):
            name, number, encoded = entry["key"].split("+", 2)
            keys[kind][name, bytes.fromhex(number)] = unbase64(encoded, 33)[1:], entry
    return keys


def alive(entry: dict[str, str], at: datetime) -> bool:
    """Whether what a witness saw at a time, cut to a second, counts for a key with this life."""
    life = {name: datetime.fromisoformat(entry[name]) for name in entry.keys() & LIFE}
    begun = at + SECOND > life.get("valid_from", at)
    return begun and at <= life.get("valid_to", at) and at + SECOND <= life.get("revoked_at", at + SECOND)


@contextmanager
def layer(name: str, said: dict[str, str]) -> Iterator[None]:
    """Note what comes of one layer. What it needs of a layer that failed is a name without a value."""
    try:
        yield
        said[name] = "holds"
    except NotImplementedError as error:
        said[name] = f"NOT CHECKED: {error}"
    except NameError:
        said[name] = "not reached: it builds on one that does not hold"
    except Exception as error:  # noqa: BLE001 - whatever bytes a package holds, the answer is a verdict
        said[name] = f"BROKEN: {error or type(error).__name__}"


def check(root: Path, trust: dict[str, Any], sm3: bool) -> dict[str, str]:  # noqa: PLR0915 - reads top down
    said: dict[str, str] = {}

    def read(path: str) -> bytes:
        expect(path in files and path not in strange, f"{path} is missing, or not of the format")
        return files[path].read_bytes()

    with layer("layout", said):
        paths = {file.relative_to(root).as_posix(): file for file in root.rglob("*")}
        files = {path: file for path, file in paths.items() if file.is_file() and not file.is_symlink()}
        payload = {path for path in files if path.startswith("data/")}
        folders = {path: path.rpartition("/")[0] for path in files}
        fits = {path for path in files if path in MUST_HAVE | MAY_HAVE or folders[path] in PAYLOAD}
        strange = paths.keys() - fits - (set(folders.values()) & (PAYLOAD | {"data", "seal"}))
        wrong = strange | ({*MUST_HAVE, "tagmanifest-sha256.txt"} - files.keys())
        expect(not wrong and not root.is_symlink(), f"missing, a link, or not of the format: {wrong}")
        expect(read("bagit.txt") == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "not BagIt")
    for manifest, kind in [("manifest-sm3", "sm3")] * sm3 + [("manifest", "sha256")]:
        with layer(manifest, said):
            listed = listing(read(f"manifest-{kind}.txt"))
            expect(payload == listed.keys(), f"only listed or only there: {payload ^ listed.keys()}")
            for path, its in listed.items():
                expect(hashlib.new(kind, files[path].read_bytes()).hexdigest() == its, f"{path} has changed")
    with layer("tag-manifest", said):
        tags = listing(read("tagmanifest-sha256.txt"))
        expect(tags.keys() == TAGS | (files.keys() & {"manifest-sm3.txt"}), "it lists other files")
        expect(all(sha256(read(path)) == digest for path, digest in tags.items()), "a tag file has changed")
    with layer("bag-info", said):
        info = re.fullmatch(BAG_INFO, read("bag-info.txt").decode())
        event_id, name, supplement, oxum = info.groups() if info else ("", "", "", "")
        expect(root.name == name, f"shown as {root.name!r}, but the package is {name!r}")
        expect(oxum == f"{sum(files[p].stat().st_size for p in payload)}.{len(payload)}", "of another size")
    with layer("event", said):
        event = document(read("data/event.json"))
        expect(event["event_id"] == event_id and event["supplement"] == int(supplement or 0), "another event")
        originals = {one["path"]: one["sha256"] for kind in event["originals"].values() for one in kind}
        there = {p: listed[p] for p in listed if p in originals or re.match("data/(images|video)/", p)}
        expect(originals == there, "it names other originals than are there")
        beside, weighing = "data/station/calibration.json", event.get("weighing")
        used = None if weighing is None else weighing["calibration"]
        lies = [document(read(beside)).get("version"), listed[beside]] if beside in listed else []
        expect(lies == ([] if used is None else [used["version"], used["digest"]]), "another calibration")
        captured = datetime.fromisoformat(event["captured_at"])
        expect(f"{captured:%Y-%m-%dT%H:%M:%S.%fZ}" == event["captured_at"], "captured at no time in UTC")
    with layer("derived", said):
        views, sources = event.get("derived", []), sorted(set(originals.values()))
        beside_them = sorted(item for item in listed.items() if item[0].startswith("data/derived/"))
        expect(sorted((v["path"], v["sha256"]) for v in views) == beside_them, "it names other views")
        made = all(v["by"] and v["from"] and (type(v["by"]), type(v["from"])) == (str, list) for v in views)
        expect(made and {one for v in views for one in v["from"]} <= {*sources}, "a view is of nothing here")
        words = "\n".join(["zhichao anti-forgery 1", event_id, *sources, ""]).encode()
        code = base64.b32encode(hashlib.sha256(words).digest()[:10]).decode()
        shown = {"rule": "zhichao-anti-forgery/1", "code": "-".join(re.findall("....", code))}
        expect(event.get("anti_forgery", shown if not views else 0) == shown, "another anti-forgery code")
    with layer("predecessor", said):
        before, number = event["predecessor"], int(supplement or 0)
        expect(re.fullmatch("[0-9a-f]{64}", before) if number else before is None, "of no such predecessor")
        if number and root.name == name:  # so that the one it follows has a lower number, and there is an end
            follows = root.parent / f"EV-{event_id}.s{number - 1}".removesuffix(".s0")
            expect(follows.is_dir(), f"lay {follows.name} and all before it beside it", NotImplementedError)
            expect(sha256((follows / "tagmanifest-sha256.txt").read_bytes()) == before, "it follows another")
            says = {words[:6] for words in check(follows, trust, sm3).values()}
            error = ValueError if "BROKEN" in says else NotImplementedError
            expect(says == {"holds"}, f"see {follows.name}, which it follows", error)
            was = document((follows / "data/event.json").read_bytes())
            held = {one["sha256"] for kind in was["originals"].values() for one in kind} <= {*sources}
            expect(held and was["captured_at"] == event["captured_at"], "of another passage than that")
            then, now = ([o | PLACE for kind in e["originals"].values() for o in kind] for e in (was, event))
            told = all(o in now for o in then) and all(str(was.get(n)) == str(event.get(n)) for n in SETTLED)
            expect(told, "other words; `zhichao evidence verify` compares them", NotImplementedError)
    with layer("statement", said):
        envelope = document(read("seal/statement.dsse.json"))
        signatures = {one["keyid"]: unbase64(one["sig"]) for one in envelope["signatures"] if len(one) == 2}
        whole = len(envelope) == 3 and 1 <= len(signatures) == len(envelope["signatures"]) <= 2
        expect(whole and envelope["payloadType"] == PAYLOAD_TYPE, "the envelope is of another form")
        first, message = envelope["signatures"][0]["keyid"], unbase64(envelope["payload"])
        service_key, service = trust["services"][first]
        pae = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(message), message)
        Ed25519PublicKey.from_public_bytes(service_key).verify(signatures[first], pae)
        beside_it = read("seal/statement.pae"), read("seal/statement.sig")
        expect(beside_it == (pae, signatures[first]), "the files for openssl are not the envelope's")
        subject = [{"name": (tag := "tagmanifest-sha256.txt"), "digest": {"sha256": sha256(read(tag))}}]
        statement, same = document(message), {k: event[k] for k in ("event_id", "supplement", "predecessor")}
        same = FORM | {"subject": subject, "predicate": statement["predicate"] | same}
        expect(statement == same, "it is about another package or event")
    with layer("time-stamp", said):
        stamped, accuracy, authorities = check_token(root / "seal", trust["time_authorities"])
    with layer("times", said):
        expect(captured - stamped <= accuracy + SECOND, "time-stamped before it was captured")
        expect(number or stamped - captured <= LONGEST_TO_STAMP + accuracy, "time-stamped too long after it")
    with layer("entry", said):
        named = ("tagmanifest-sha256.txt", "seal/statement.dsse.json", "seal/statement.tsr")
        entry = "".join(f"{sha256(read(path))}  {path}\n" for path in named).encode()
        expect(read("seal/entry.sha256") == entry, "it does not name these files")
    with layer("inclusion", said):
        proof = re.fullmatch(PROOF, read("seal/inclusion.tlog-proof").decode())
        index, path, text, origin, size, tree, notes = proof.groups() if proof else ("",) * 7
        node = hashlib.sha256(b"\0" + read("seal/entry.sha256")).digest()
        at, last = int(index), int(size) - 1
        fork, siblings = (at ^ last).bit_length(), [unbase64(line, 32) for line in path.split("\n")[:-1]]
        expect(at <= last and len(siblings) == fork + (at >> fork).bit_count(), "of no such place in the log")
        for level, sibling in enumerate(siblings):  # RFC 9162, 2.1.3: on the tree's right edge all are left
            right = level >= fork or at >> level & 1
            node = hashlib.sha256(b"\1" + (sibling + node if right else node + sibling)).digest()
        expect(node == unbase64(tree, 32), "the path does not lead to the log's root")
        lines = [line.split(" ") for line in notes.split("\n")[:-1]]
        signed_by = {(name, unbase64(code)[:4]): unbase64(code)[4:] for _, name, code in lines}
    with layer("checkpoint", said):
        expect(len(signed_by) == len(lines), "a key has signed twice")
        key_name = next(name for name in signed_by if name in trust["logs"] and name[0] == origin)
        log_key, log = trust["logs"][key_name]
        Ed25519PublicKey.from_public_bytes(log_key).verify(signed_by[key_name], text.encode())
    with layer("witness", said):
        times = []
        for key_name in signed_by.keys() & trust["witnesses"].keys():
            (key, witness), seconds = trust["witnesses"][key_name], int.from_bytes(signed_by[key_name][:8])
            cosigned = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(key).verify(signed_by[key_name][8:], cosigned)
            times.append((datetime.fromtimestamp(seconds, UTC), witness))
        expect(times, "no trusted witness has cosigned it")
        lived = [(when, one) for when, one in times if alive(one, when)]
        standing = [when for when, one in lived if not one.keys() & {"valid_to", "revoked_at"}]
        witnessed = min(standing) if standing else max(when for when, _ in lived or times)
    with layer("witness-time", said):
        expect(stamped - witnessed <= accuracy + SECOND, "witnessed before it was time-stamped")
        expect(witnessed - stamped <= LONGEST_TO_LOG + accuracy, "witnessed too long after the time stamp")
    with layer("keys", said):
        expect(lived and alive(service, witnessed) and alive(log, witnessed), "a key did not live then")
        expect(any(alive(one, witnessed) for one in authorities), "the authority's root was not valid then")
    with layer("elsewhere", said):
        wire = event["originals"]["wire"]
        expect(all(document(read(one["headers"]))["topic"] == one["topic"] for one in wire), "another topic")
        states = {"absent"} | {(one.get("device_signature") or {"state": "absent"})["state"] for one in wire}
        more = "data/station/device-keys.json" in files or len(signatures) + len(states) > 2
        expect(not (more or trust["devices"]), "`zhichao evidence verify` checks it", NotImplementedError)
    return said


def check_token(seal: Path, authorities: list[Any]) -> tuple[datetime, timedelta, list[Any]]:
    """When, how exactly, and under which of these authorities, whose certificates were valid at that time."""
    known, token = re.match("OpenSSL (1[.]1|[3-9])", openssl("version")), ("-in", seal / "statement.tsr")
    expect(known, "the command openssl is not of OpenSSL 1.1 or later", NotImplementedError)
    answer, _, text = openssl("ts", "-reply", *token, "-text").rpartition("\nTST info:")
    expect(answer.startswith("Status info:\nStatus: Granted.\n"), "not granted as it was asked for")
    ((day, fraction, year),) = re.findall(r"\nTime stamp: (.{15})\.?(\d*) (\d{4}) GMT\n", text)
    at = datetime.strptime(f"{day}.{fraction or 0} {year} +0000", "%b %d %H:%M:%S.%f %Y %z")
    (stated,) = re.findall(r"\nAccuracy: (.*) seconds, (.*) millis, (.*) micros\n", text) or ["000"]
    s, ms, us = (0 if part == "unspecified" else int(part, 0) for part in stated)
    accuracy, under = timedelta(seconds=s, milliseconds=ms, microseconds=us), []
    over = ("-data", seal / "statement.dsse.json", *token, "-attime", int(at.timestamp()))
    for authority in authorities:
        with suppress(ValueError):
            openssl("ts", "-verify", *over, "-CAfile", "/dev/stdin", stdin=authority["root_pem"].encode())
            under.append(authority)
    expect(under and accuracy <= timedelta(hours=1), "it holds under no trusted authority, or is too coarse")
    return at, accuracy, under


def main(arguments: list[str]) -> int:
    try:
        file, *folders = [Path(one).absolute() for one in arguments if one != "--sm3"]
        trust, digest = trusted(json.loads(file.read_bytes())), sha256(file.read_bytes())
        expect(folders and all(folder.is_dir() for folder in folders), "name the folders of packages")
    except Exception as error:  # noqa: BLE001 - a trust file that is missing or of another form
        print(f"not checked: {error}; usage: verify_evidence.py [--sm3] TRUST_FILE PACKAGE_FOLDER...")
        return 2
    print(f"trust file sha256 {digest}\n")
    verdicts = []
    for folder, said in ((one, check(one, trust, "--sm3" in arguments)) for one in folders):
        states = {words[:6] for words in said.values()}
        verdicts.append(0 if states == {"holds"} else 1 if "BROKEN" in states else 2)
        lines = [ascii(folder.name)[1:-1], *(f"  {name:13} {words}" for name, words in said.items())]
        print(*lines, ("VERIFIED", "NOT VERIFIED", "NOT CHECKED")[verdicts[-1]], "", sep="\n")
    return 1 if 1 in verdicts else max(verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
