"""The kernel's second door: what servers, stores and tools need beside what authors declare."""

# pyright: reportUnusedImport=false

from .compile.answers import Point, compile_answers
from .compile.fingerprint import code_hash
from .compile.front_ends import compile_front_ends
from .compile.plan import BoundCapability, CompiledFrontEnd, Plan
from .compile.release import Release
from .contract import check, fit, hints_of, json_schema
from .deadline import DeadlinePassed, within
from .declare.capability import Deprecated, event_kind
from .declare.extension import SWITCH, Answer, ExtensionPoint
from .declare.implementation import Implementation
from .errors import AnswerFailed, kebab
from .run.call import Answered, Call, CallContext, new_call_id
from .run.group_commit import NOT_BATCHABLE, GroupCommit, NotBatchable
from .trace import AnswerRecord, Asked, Trace, trace_now
