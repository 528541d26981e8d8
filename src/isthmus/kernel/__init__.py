"""The kernel: declare, answer, compile, call. Everything public is here; it imports msgspec and nothing else."""

from . import combine, errors, ports
from .call import Outcome, Platform
from .capability import Capability, Effect, capability, event, flow, implements
from .combine import ALLOW, PASS, Pass, Verdict, veto
from .context import Caller, Context
from .contract import Meta, Value, decode, encode
from .extension import Dimension, answers, extension_point
from .front_end import FrontEnd, Product
from .pack import Condition, Pack
from .registry import Registry

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
