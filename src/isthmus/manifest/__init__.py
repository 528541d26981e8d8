"""What a pack brings beside its capabilities, as plain values: `Pack(brings=(Job(…), Resource(…), …))`.

Each value is inert. The surface that it is meant for, such as a server, reads those of its type when a process starts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from isthmus.kernel import Capability, Effect, FrontEnd, Pack, Platform, Value, errors

from .actions import Action
from .demo import Demo as Demo  # what a function of demo data is given
from .demo import DemoData
from .devices import Devices, SignedIn
from .figures import Growing, Headlines
from .figures import Lines as Lines  # what Growing is made of
from .figures import Movements as Movements
from .files import Files
from .gauges import Gauge
from .guides import Guide
from .idempotent import Idempotent
from .kept import Gives, Personal
from .kept import Keeps as Keeps  # what a pack keeps of persons
from .named import Named
from .outlets import Events as Events  # what an outlet is given
from .outlets import Outlet
from .parts import Within
from .persons import OpenRecords as OpenRecords  # what opens what is kept encrypted for One ID
from .persons import Persons
from .rehearsal import Rehearsal
from .sites import Site
from .steps import Paid, Step

if TYPE_CHECKING:  # a page of help reads manifests, and waits for no driver of a database
    from isthmus.store import Database

T = TypeVar("T")

_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.#/-]{0,199}")


class NoSettings(Value):
    """The shape of a resource's settings where nothing can be set: any setting is refused at start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Again and again, after so many seconds, in every server process: what runs must be safe in several at once."""

    seconds: float


Missed = Literal["run", "skip"]  # what becomes of a run that no server was there for: made up for, or left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """Once a day at a time of a zone, over all servers: `Daily(at="02:00", zone="Europe/Berlin")`.

    A time that the clock jumps over comes as much later as it jumps (02:30 is 03:30 on that day); of a time that comes
    twice it is the first. However many days were missed, one run makes up for them.
    """

    at: str
    zone: str = "UTC"
    missed: Missed = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """So long after each event, once over all servers; `calls` asks with the event and sees whether it still matters.

    A day has 24 hours. The event is of the pack, of one that a flow uses, or any that happens at a front end. `only`
    says of an event, and its front end's settings, whether anything follows; of versions from `below` on nothing does.
    """

    event: type[Value]
    days: float
    missed: Missed = "run"
    only: Callable[[Any, Mapping[str, str]], bool] | None = None
    below: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work at its time: `calls` is called for each front end that may call it, with `ask`, or with its ask's defaults.

    A front end's own (`FrontEnd(jobs=(Job(…),))`) is called for that front end alone.
    """

    name: str
    when: Every | Daily | After
    calls: Capability[Any, Any]
    ask: Value | None = None

    def asked(self) -> Value:
        """Return what it is called with where no event says it."""
        return self.calls.ask() if self.ask is None else self.ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a resource is made: the database, the pack's settings in their own shape, the providers of its seam.

    root: the folder of the settings. data: where the platform keeps files of its own. packs: what is plugged in.
    front_ends: their folder. resource: gives what was made of a kind: by this pack before, by others once all are made.
    """

    database: Database
    settings: Any = None
    providers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    root: Path = Path()
    data: Path = Path()
    front_ends: Path = Path()
    packs: tuple[Pack, ...] = ()
    resource: Callable[[type[Any]], Any] = lambda kind: None
    is_beside: bool = False  # a server started this process


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What `ctx.resource(kind)` gives to this pack's service, made once a process.

    settings: the shape of `[settings.<pack>]`; wrong or unknown values are refused at start. providers: the seam whose
    providers `[providers.<seam>]` chooses; `built_in` are those that run where nothing is chosen, as `module:NAME`.
    in_shadow: what a call takes instead that is rolled back in the end; it must have no effect outside the database.
    stands_alone: it is made in the same way where the pack stands alone, of a Place that has a database, settings,
    providers and a folder of its own; `make`, `in_shadow` and the shapes are then named in a module, and no lambda.
    """

    kind: type[Any]
    make: Callable[[Place], Any]
    settings: type[Value] = NoSettings
    providers: str = ""
    built_in: Mapping[str, str] = field(default_factory=dict[str, str])
    in_shadow: Callable[[], Any] | None = None
    stands_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderType:
    """A kind of provider, as `use = "module:NAME"` names it: the shape of its settings, and what makes one."""

    settings: type[Value]
    make: Callable[[str, Any], Any]  # its name, its settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Work over all front ends, again and again in every server process, on a resource; it must be safe in several."""

    name: str
    every_s: float
    of: type[Any]
    run: Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndCheck:
    """What a pack has to say about a front end before it is deployed, and when a server starts with it.

    problems: is given the front end and all packs, and yields what is wrong, each with what to write.
    is_of_each_server: each asks again as it loads a version, and goes on with the one before where something is.
    """

    problems: Callable[[FrontEnd, Sequence[Pack]], Iterable[str]]
    is_of_each_server: bool = False


class Opened(Protocol):
    """What commands of a pack work on, where they say so."""

    @property
    def database(self) -> Database:
        """The store, for statements over all front ends."""
        ...

    @property
    def platform(self) -> Platform:
        """The platform, to call capabilities as a client of a front end."""
        ...

    def resource(self, kind: type[T]) -> T:
        """Return what a pack makes of this kind. Raises Fault where none does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """A group of commands of the pack: `isthmus <name> …`; several packs may bring commands of one group.

    at: `module:function`, imported when one of them runs; it is given what opens a session of the database for as long
    as an `async with` lasts, and returns a `typer.Typer`. over: what is opened instead: `Opened` without front ends
    (`database`), or with all that are deployed (`platform`). Manifests write each value out, in quotes: help reads
    them as text, so that it imports no pack.
    """

    name: str
    help: str
    at: str
    over: Literal["session", "database", "platform"] = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the console, at a path below it; in the menu where it has a name there, under its group.

    at: `module:function`, an async function from `isthmus.pages.Asked` and a `Client` to what the template reads, or to
    where the browser goes next. template: a file of that module's package, `name.html`, or `package:name.html`. needs:
    the page is there where this capability is. is_form: it takes what a form sends; two pages may have one path, one
    to be read, one a form. action: whom it is for, where its capabilities do not say that. is_open: nobody signs in.
    """

    path: str
    at: str
    template: str
    menu: str = ""
    group: str = "Operate"
    needs: Capability[Any, Any] | None = None
    is_form: bool = False
    action: Action | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Things of the pack in the console's search: an async function from text, front end and `Client` to `Found`s."""

    at: str
    needs: Capability[Any, Any] | None = None


KINDS = (
    Job, Resource, Upkeep, FrontEndCheck, Persons, Personal, Gives, Commands, Page, Search, Headlines, Growing, Files,
    Gauge, Outlet, Rehearsal, Site, DemoData, Guide, Devices, SignedIn, Step, Paid, Within, Named, Idempotent,
)  # fmt: skip


def brought(packs: Iterable[Pack], kind: type[T]) -> list[T]:
    """Return what packs bring of one kind, in their order."""
    return [one for pack in packs for one in pack.brings if isinstance(one, kind)]


def check_kinds(pack: Pack, known: tuple[type, ...]) -> list[str]:
    """Return what a pack brings that nobody reads, each with what could be meant."""
    return [
        f"pack {pack.name!r} brings a {type(one).__name__}, which nothing reads; "
        f"what is read is {', '.join(sorted(kind.__name__ for kind in known))}"
        for one in pack.brings
        if not isinstance(one, known)
    ]


def job_problems(owner: Pack | FrontEnd) -> Iterator[str]:
    """Say which jobs of a pack or a front end cannot run, each with what to write."""
    is_pack = isinstance(owner, Pack)
    found = owner.brings if is_pack else owner.jobs
    name = owner.name if is_pack else owner.code
    for job in (one for one in found if isinstance(one, Job)):
        where = f"job {job.name!r} of {name!r}"
        if not job.name.startswith(f"{name}."):
            yield f"{where} is called as another's; call it {name}.{job.name.rpartition('.')[2]}"
        if isinstance(job.when, Every):
            if not is_pack:
                yield f"{where} runs every {job.when.seconds:g} s, which is for packs; use Daily or After"
        elif isinstance(job.when, After) and job.when.only is not None and not is_pack:
            yield f"{where} has only=…, which is for packs; look in {job.calls.name!r} whether the event matters"
        elif job.calls.effect is Effect.READ:
            yield f"{where} calls {job.calls.name!r}, which has no effect; declare it with Effect.WRITE or Effect.SAGA"
        yield from _when_problems(job, where)
        needed = [] if job.ask or isinstance(job.when, After) else list(_needed(job.calls.ask))
        if needed:
            yield f"{where} calls {job.calls.name!r} without {', '.join(needed)}; give ask={job.calls.ask.__name__}(…)"


def _needed(ask: type[msgspec.Struct]) -> Iterator[str]:
    """Return the fields without a default."""
    return (one.name for one in msgspec.structs.fields(ask) if one.required)


def _when_problems(job: Job, where: str) -> Iterator[str]:
    when = job.when
    if isinstance(when, Daily):
        try:
            _ = time.fromisoformat(when.at), ZoneInfo(when.zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            yield f'{where} is at {when.at!r} in {when.zone!r}; write at="02:00", zone="Europe/Berlin"'
    if isinstance(when, After) and not hasattr(when.event, "__isthmus_event__"):
        yield f"{where} is after {when.event.__name__}, which is not declared with @event"
    elif isinstance(when, After) and job.calls.ask is not when.event:
        asks = job.calls.ask.__name__
        yield f"{where} calls {job.calls.name!r}, which asks with {asks}; make it {when.event.__name__}"
    if not isinstance(when, Every) and when.missed not in ("run", "skip"):
        yield f"{where} has missed={when.missed!r}; say what becomes of a missed run: 'run' or 'skip'"


class Secret:
    """A setting that isthmus.toml only names, `{ secret = "NAME" }`: its value comes from the secrets' provider.

    Nothing prints, encodes or pickles the value; whoever calls outside with it takes it by `reveal`.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str = "") -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """Return the value. Raises Fault where it has not been read, as in tools that only check settings."""
        if not self._value:
            raise errors.Fault(f"the secret {self.name!r} has not been read", remedy="read it in a process that serves")
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __reduce__(self) -> str:
        raise TypeError(f"{self!r} stays in the process that has read it")


class Secrets(Protocol):
    """What the provider of secrets keeps to: `[providers.secrets.<name>]` chooses one for the whole platform."""

    def read(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of those that are there, by name; the others are left out. Called once, at start.

        Raises IsthmusError where nothing can be read; neither that nor a log names a value.
        """
        ...

    def place(self, name: str) -> str:
        """Say where a secret has to be put, for whoever has to put it there."""
        ...


def _unread(where: str, name: str) -> str:
    return ""


def checked_settings(
    shape: type[Value], given: Mapping[str, Any], where: str, reveal: Callable[[str, str], str] = _unread
) -> Value:
    """Return settings in their shape; reveal: gives a secret's value for where it is named, and its name.

    Raises WrongSettings with what does not fit, and where.
    """

    def decoded(kind: type, said: Any) -> Any:
        if kind is not Secret:
            raise NotImplementedError(f"settings have no {kind.__name__}")
        found = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        name = found.get("secret")
        if len(found) != 1 or not (isinstance(name, str) and _SECRET_NAME.fullmatch(name)):
            raise ValueError('This is a secret: write `{ secret = "NAME" }`, and put its value where that is kept')
        return Secret(name, reveal(where, name))

    try:
        return msgspec.convert(dict(given), shape, dec_hook=decoded)
    except msgspec.ValidationError as wrong:
        known = ", ".join(shape.__struct_fields__) or "none"
        raise WrongSettings(f"{where}: {wrong}", remedy=f"its settings are {known}") from None


class WrongSettings(errors.BadAsk):
    """A setting of a pack or a provider does not fit its shape."""

    slug = "wrong-settings"
