"""Originals in; sealed package, log entry and verdict out."""

from evidence.anti_forgery import anti_forgery_code
from evidence.keys import KeySet, create_keys, load_keys
from evidence.local_authority import LocalTestAuthority
from evidence.log import TransparencyLog, published_proof
from evidence.merkle import leaf_hash
from evidence.note import COSIGNATURE, ED25519, VerifierKey
from evidence.package import (
    BuiltPackage,
    ClipItem,
    DerivedItem,
    ImageItem,
    PackageContents,
    WireItem,
    build,
    remove_leftovers,
)
from evidence.policy import Policy
from evidence.report import Layer, Report, as_json, as_text
from evidence.seal import write_seal
from evidence.sealed import sealed_event
from evidence.signing import KeySigner, Signer
from evidence.statements import (
    CAPTURES,
    DECISION,
    check_statement,
    entry_leaf,
    sign_capture_statement,
    sign_decision,
    sign_statement,
    statement_leaf,
)
from evidence.timestamp import HttpAuthority, Stamp, TimeAuthority, check_token
from evidence.trust import Trust, trust_bytes, trust_file
from evidence.verify import verify_package
from evidence.witness import Witness

__all__ = [
    "CAPTURES",
    "COSIGNATURE",
    "DECISION",
    "ED25519",
    "BuiltPackage",
    "ClipItem",
    "DerivedItem",
    "HttpAuthority",
    "ImageItem",
    "KeySet",
    "KeySigner",
    "Layer",
    "LocalTestAuthority",
    "PackageContents",
    "Policy",
    "Report",
    "Signer",
    "Stamp",
    "TimeAuthority",
    "TransparencyLog",
    "Trust",
    "VerifierKey",
    "WireItem",
    "Witness",
    "anti_forgery_code",
    "as_json",
    "as_text",
    "build",
    "check_statement",
    "check_token",
    "create_keys",
    "entry_leaf",
    "leaf_hash",
    "load_keys",
    "published_proof",
    "remove_leftovers",
    "sealed_event",
    "sign_capture_statement",
    "sign_decision",
    "sign_statement",
    "statement_leaf",
    "trust_bytes",
    "trust_file",
    "verify_package",
    "write_seal",
]
