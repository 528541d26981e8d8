"""Settings: one file, and the environment for what differs between machines."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

from isthmus.governance.cost.inputs import NAMES, Inputs, WrongCosts
from isthmus.kernel import errors
from isthmus.runtime.isolation.limits import Isolation

FILE = "isthmus.toml"
TOKEN_VARIABLE = "ISTHMUS_CONSOLE_TOKEN"  # of the environment; shared by all workers of one server
FIRST_LINK_VARIABLE = "ISTHMUS_FIRST_LINK"  # what a fresh platform's first link has in it; made anew at each start
ADDRESS_VARIABLE = "ISTHMUS_ADDRESS"  # where a server listens, for its workers to say
PACKS = ("isthmus.packs",)  # all that ship, so that settings which name none go on working
FLOWS = ("isthmus.flows",)


class WrongConfig(errors.BadAsk):
    """The settings file says something that cannot be."""

    slug = "wrong-config"


LAKE = ("receipts", "snapshots", "fresh_hours", "calendar", "calendars")  # sections that are settings of the lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a process: where it runs.

    database_url: PostgreSQL to use; None starts the embedded one in `data`. front_ends: the folder whose
    folders are front ends; it may be missing. demo_entry: `module:function` that `isthmus demo` calls. adopted:
    existing services that are packs here, by name. address: where clients reach this platform; empty: where it listens.
    token_key: the file with the key that signs tokens; empty: one in `data`. cors:
    origins whose pages may call. connections_per_address: how many one address may hold open at each server process.
    limits: calls a minute at all servers together, of a `key`, an `address`, a `person`.
    isolation: for those front ends that do not run `inline` with its
    defaults, by the name of their folder, which is their code. record: which calls are recorded, and how long
    they are kept. cost: what is declared of costs; cost_team_day: what a day of a team costs, empty where nobody
    said. levels:
    percent of calls that are to be answered, by front end, `default` for the others. lake:
    `receipts` (how many are kept, for how many days), `snapshots` (for how many days states are kept that receipts
    name) and `fresh_hours` (after how many an entity is too old).

    group: the code under which the group owns what front ends share; empty: each owns its own, and may share that.
    packs, flows: what the platform is made of, `module:NAME`, or a package for all below it. leave_out: of those,
    what is not wanted, by name. products: which front ends may switch on, named in the same way; empty: any that
    they import. providers: by seam and name. settings: of packs, by name.
    """

    root: Path
    data: Path
    front_ends: Path
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    demo_entry: str | None = None
    address: str = ""
    token_key: str = ""
    cors: tuple[str, ...] = ()
    connections_per_address: int | None = None  # None: as many as the gateway says
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    adopted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    ejected: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    exit_days: int = 0  # how old the last exit of a pack may be before a server exercises it again; 0: never by itself
    isolation: Mapping[str, Isolation] = field(default_factory=dict[str, Isolation])
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cost: Inputs = field(default_factory=Inputs)
    cost_team_day: str = ""
    levels: Mapping[str, float] = field(default_factory=dict[str, float])
    lake: Mapping[str, Any] = field(default_factory=dict[str, Any])
    group: str = ""
    packs: tuple[str, ...] = PACKS
    flows: tuple[str, ...] = FLOWS
    products: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    log_format: Literal["text", "json"] = "text"
    log_level: str = "info"
    otel: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def adopted_secrets(self) -> Mapping[str, str]:
        """Return the secrets that adopted services are called with, by service; variables are none of them."""
        named = {name: _secret_named(said.get("secret")) for name, said in self.adopted.items()}
        return {name: secret for name, secret in named.items() if secret is not None}

    @property
    def versions(self) -> Path:
        """Where deployed versions are unpacked; it can be emptied at any time."""
        return self.data / "versions"

    def isolation_of(self, folder: Path) -> Isolation:
        """Return where the answers of the front end in this folder run."""
        return replace(self.isolation.get(folder.name, Isolation()), hidden=self.hidden)

    @property
    def hidden(self) -> tuple[Path, ...]:
        """Folders that code of front ends finds empty where it runs apart: the data, and a database's socket."""
        socket = parse_qs(urlsplit(self.database_url or "").query).get("host", [""])[0]
        return (self.data, *([Path(socket)] if socket.startswith("/") else ()))


_KNOWN = {
    "platform": {"front_ends", "data", "group", "packs", "flows", "products", "leave_out"},
    "server": {"host", "port", "address", "token_key", "cors", "connections_per_address"},
    "limits": {"key_per_minute", "address_per_minute", "person_per_minute"},
    "log": {"format", "level"},
    "otel": {"endpoint", "share"},
    "demo": {"entry"},
    "exits": {"days"},
    "record": {"share", "most_per_s", "shares", "kept", "kept_mb", "kept_days"},
    "cost": set(NAMES),
    "receipts": {"days", "count"},
    "snapshots": {"days"},
}
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")
_COUNT_MAX = 65_536  # of connections: no process may open more files by default
_PER_FRONT_END = {"isolation", "budget_ms", "deadline_ms", "memory_mb", "url"}


def load_config(path: Path | None = None) -> Config:
    """Read the settings; without a file, everything has its default. Raises WrongConfig."""
    named = path or (Path(os.environ["ISTHMUS_CONFIG"]) if "ISTHMUS_CONFIG" in os.environ else None)
    if named is not None and not named.is_file():
        raise WrongConfig(f"{named} is not there", remedy="name an existing file, or leave ISTHMUS_CONFIG unset")
    file = named or Path(FILE)
    found = _read(file) if file.is_file() else {}
    root = file.absolute().parent
    sections = ("platform", "server", "demo", "record")
    platform, server, demo, record = (cast("dict[str, Any]", found.get(section, {})) for section in sections)
    return Config(
        root=root,
        data=root / (os.environ.get("ISTHMUS_DATA") or platform.get("data", ".isthmus")),
        front_ends=root / platform.get("front_ends", "front_ends"),
        database_url=_variable("ISTHMUS_DATABASE_URL"),
        host=os.environ.get("ISTHMUS_HOST") or server.get("host", "127.0.0.1"),
        port=int(os.environ.get("ISTHMUS_PORT") or server.get("port", 8080)),
        demo_entry=demo.get("entry"),
        address=_address(file, server.get("address", "")),
        token_key=str(server.get("token_key", "")),
        cors=_origins(file, server.get("cors", [])),
        connections_per_address=_count(file, server, "connections_per_address"),
        limits=_limits(file, found.get("limits", {})),
        adopted=found.get("adopted", {}),
        ejected=_ejected(file, found.get("ejected", {})),
        exit_days=_days(file, found.get("exits", {}).get("days", 0)),
        isolation={name: _isolation(file, name, chosen) for name, chosen in found.get("front_ends", {}).items()},
        record=record,
        cost=_costs(file, found.get("cost", {})),
        cost_team_day=found.get("cost", {}).get("team_day", ""),
        levels=_levels(file, found),
        lake={section: found[section] for section in LAKE if section in found},
        group=platform.get("group", ""),
        packs=_names(file, platform, "packs", PACKS),
        flows=_names(file, platform, "flows", FLOWS),
        products=_names(file, platform, "products", ()),
        leave_out=_names(file, platform, "leave_out", ()),
        providers=_tables(file, found, "providers"),
        settings=_tables(file, found, "settings"),
        otel=_otel(file, found.get("otel", {})),
        log_format=_one_of(file, found, "format", ("text", "json")),
        log_level=_one_of(file, found, "level", ("info", "debug", "warning", "error")),
    )


EJECTED = {"url", "secret"}
OF_PERSONS = ("forgets", "exports")  # what an adopted service has for persons
ADOPTED = {"document", "url", "secret", "leave_out", *OF_PERSONS}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise WrongConfig(f"{file} is not TOML: {error}", remedy="fix that line") from error
    adopted: dict[str, Any] = found.get("adopted", {})
    for name, values in adopted.items():
        if not isinstance(values, dict) or not {"document", "url"} <= values.keys() or values.keys() - ADOPTED:
            raise WrongConfig(
                f"{file} says of the adopted service {name!r}: {values}",
                remedy=f"an adopted service has document and url, and may have {', '.join(sorted(ADOPTED))}",
            )
        said = cast("dict[str, Any]", values)
        for setting in OF_PERSONS:
            one: dict[str, object] = said.get(setting, {})
            if not isinstance(one, dict) or not all(isinstance(value, str) for value in one.values()):
                raise WrongConfig(
                    f"{file} has adopted.{name}.{setting} = {one!r}",
                    remedy=f'write {setting} = {{ call = "OPERATION", member = "FIELD" }}'
                    + (', or forgets = { because = "…" }' if setting == "forgets" else ""),
                )
        if isinstance(secret := said.get("secret"), dict) and _secret_named(cast("Mapping[str, Any]", secret)) is None:
            raise WrongConfig(
                f"{file} has adopted.{name}.secret, which names no secret", remedy='write secret = { secret = "NAME" }'
            )
    for section, values in found.items():
        if section in ("adopted", "ejected", "front_ends", "fresh_hours", "levels", "providers", "settings"):
            continue
        unknown = (
            [section] if section not in _KNOWN else [f"{section}.{key}" for key in values if key not in _KNOWN[section]]
        )
        if unknown:
            known = ", ".join(f"{name}.{key}" for name, keys in _KNOWN.items() for key in sorted(keys))
            raise WrongConfig(f"{file} has an unknown setting {unknown[0]!r}", remedy=f"the settings are {known}")
    return found


def _ejected(file: Path, said: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    for name, values in said.items():
        if not (isinstance(values, dict) and values.keys() == EJECTED):
            raise WrongConfig(
                f"{file} says of the ejected pack {name!r}: {values}",
                remedy="a service in a pack's place has url, and secret: the environment variable with its token",
            )
    return said


def _days(file: Path, said: Any) -> int:
    if type(said) is not int or not 0 <= said <= 365:
        raise WrongConfig(f"{file} has exits.days = {said!r}", remedy="give whole days up to 365, or 0 for never")
    return said


def _variable(name: str) -> str | None:
    """Return a variable of the environment, or what is in the file that NAME_FILE names. Raises WrongConfig."""
    if file := os.environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text().strip() or None
        except OSError as error:
            raise WrongConfig(
                f"{name}_FILE names {file}, which cannot be read: {type(error).__name__}",
                remedy="make it a file that this user may read",
            ) from None
    return os.environ.get(name) or None


def _otel(file: Path, said: Mapping[str, Any]) -> Mapping[str, Any]:
    endpoint, share = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or said.get("endpoint", ""), said.get("share", 0.01)
    if not (isinstance(endpoint, str) and (not endpoint or endpoint.startswith(("http://", "https://")))):
        raise WrongConfig(f"{file} has otel.endpoint = {endpoint!r}", remedy='write it like "http://127.0.0.1:4318"')
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise WrongConfig(f"{file} has otel.share = {share!r}", remedy="give a share from 0 to 1")
    return {"endpoint": endpoint, "share": float(share)} if endpoint else {}


def _one_of(file: Path, found: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Any:
    said = os.environ.get(f"ISTHMUS_LOG_{key.upper()}") or found.get("log", {}).get(key, known[0])
    if said not in known:
        raise WrongConfig(f"{file} has log.{key} = {said!r}", remedy=f"use one of {', '.join(known)}")
    return said


def _secret_named(said: Any) -> str | None:
    """Return the name in `{ secret = "NAME" }`; none where that is not what was said."""
    found = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    name = found.get("secret")
    return name if len(found) == 1 and isinstance(name, str) and name else None


def _names(file: Path, platform: Mapping[str, Any], key: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    found = platform.get(key, list(otherwise))
    if not (isinstance(found, list) and all(isinstance(one, str) for one in cast("list[object]", found))):
        example = '["isthmus.packs", "acme.packs.loyalty:PACK"]' if key != "leave_out" else '["promotion"]'
        raise WrongConfig(f"{file} has platform.{key} = {found!r}", remedy=f"give a list of names, such as {example}")
    return tuple(cast("list[str]", found))


def _tables(file: Path, found: Mapping[str, Any], section: str) -> Mapping[str, Mapping[str, Any]]:
    for name, values in found.get(section, {}).items():
        if not isinstance(values, dict):
            raise WrongConfig(
                f"{file} has {section}.{name} = {values!r}", remedy=f"write it as a table: [{section}.{name}]"
            )
    return found.get(section, {})


def _costs(file: Path, said: Mapping[str, Any]) -> Inputs:
    try:
        return Inputs.of(said)
    except WrongCosts as wrong:
        raise WrongConfig(f"{file}: {wrong}", remedy=wrong.remedy) from None


def _levels(file: Path, found: Mapping[str, Any]) -> Mapping[str, float]:
    for name, percent in found.get("levels", {}).items():
        is_number = isinstance(percent, int | float) and not isinstance(percent, bool)
        if not (is_number and 50 <= percent < 100):
            raise WrongConfig(
                f"{file} has levels.{name} = {percent!r}",
                remedy="give the percent of calls that are to be answered, from 50 to below 100, such as 99.9",
            )
    return found.get("levels", {})


def _origins(file: Path, given: Any) -> tuple[str, ...]:
    listed = cast("list[object]", given) if isinstance(given, list) else []
    if not isinstance(given, list) or not all(isinstance(one, str) and _ORIGIN.fullmatch(one) for one in listed):
        raise WrongConfig(
            f"{file} has server.cors = {given!r}",
            remedy='list the addresses whose pages may call, such as ["https://shop.example"], without a path',
        )
    return tuple(cast("list[str]", given))


def _address(file: Path, given: Any) -> str:
    if given and not (isinstance(given, str) and _ADDRESS.fullmatch(given)):
        raise WrongConfig(
            f"{file} has server.address = {given!r}",
            remedy='write where clients reach this platform, such as "https://api.example.org"',
        )
    return given


def _limits(file: Path, found: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits that hold at all servers together, by whom they are of."""
    return {name.partition("_")[0]: one for name in found if (one := _count(file, found, name)) is not None}


def _count(file: Path, section: Mapping[str, Any], key: str) -> int | None:
    found = section.get(key)
    if found is not None and (type(found) is not int or not 1 <= found <= _COUNT_MAX):
        raise WrongConfig(f"{file} has server.{key} = {found!r}", remedy=f"give a whole number from 1 to {_COUNT_MAX}")
    return found


def _isolation(file: Path, name: str, chosen: Any) -> Isolation:
    where = f"{file} [front_ends.{name}]"
    if not isinstance(chosen, dict) or chosen.keys() - _PER_FRONT_END:
        known = ", ".join(sorted(_PER_FRONT_END))
        raise WrongConfig(f"{where} has an unknown setting", remedy=f"the settings are {known}")
    said = cast("dict[str, Any]", chosen)
    found: dict[str, Any] = {("mode" if key == "isolation" else key): value for key, value in said.items()}
    mode = found.get("mode", "inline")
    if mode not in ("inline", "process", "http"):
        raise WrongConfig(f"{where} has isolation = {mode!r}", remedy="use inline, process or http")
    for key in ("budget_ms", "deadline_ms", "memory_mb"):
        if type(found.get(key, 1)) is not int or found.get(key, 1) < 1:
            raise WrongConfig(f"{where} has {key} = {found[key]!r}", remedy="give a whole number above 0")
    if (mode == "http") != bool(found.get("url")):
        raise WrongConfig(
            f"{where} has isolation = {mode!r} and url = {found.get('url', '')!r}",
            remedy="a url belongs to isolation = 'http', which needs one",
        )
    return Isolation(**found)
