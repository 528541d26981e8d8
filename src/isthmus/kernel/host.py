"""The kernel's second door: what servers, stores and tools need beside what authors declare."""

# pyright: reportUnusedImport=false

from .compile.fingerprint import code_hash
from .compile.front_ends import compile_front_ends
from .compile.plan import Plan, Point, compile_answers
from .compile.release import BoundCapability, CompiledFrontEnd, Release
from .contract import check, fit, json_schema
from .deadline import DeadlinePassed, within
from .declare.capability import Deprecated, Implementation, event_kind
from .declare.extension import Answer, ExtensionPoint
from .errors import AnswerFailed, kebab
from .run.call import Call, new_call_id
from .run.group_commit import NOT_BATCHABLE, GroupCommit, NotBatchable
from .run.pipeline import Answered
from .trace import AnswerRecord, Asked, Trace, trace_now
