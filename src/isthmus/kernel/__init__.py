"""The kernel: declare, answer, compile, call. Everything public is here; it imports msgspec and nothing else."""

from . import errors, ports
from .compile.registry import Registry
from .contract import Meta, Value, decode, encode
from .declare import combine
from .declare.capability import Capability, Effect, capability, event, flow
from .declare.combine import ALLOW, PASS, Pass, Verdict, veto
from .declare.context import Caller, Context
from .declare.extension import Dimension, answers, extension_point
from .declare.front_end import FrontEnd, Product
from .declare.implementation import implements
from .declare.pack import Condition, Pack
from .run.pipeline import Outcome, Platform

__all__ = [
    "ALLOW",
    "PASS",
    "Caller",
    "Capability",
    "Condition",
    "Context",
    "Dimension",
    "Effect",
    "FrontEnd",
    "Meta",
    "Outcome",
    "Pack",
    "Pass",
    "Platform",
    "Product",
    "Registry",
    "Value",
    "Verdict",
    "answers",
    "capability",
    "combine",
    "decode",
    "encode",
    "errors",
    "event",
    "extension_point",
    "flow",
    "implements",
    "ports",
    "veto",
]
