"""Providers: the contract that one has to keep, and the built-in one for tests and demos."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal, Protocol, runtime_checkable

from isthmus.kernel import Value, decode, encode, errors
from isthmus.manifest import NoSettings, Place, ProviderType
from isthmus.values import Money, whole_number


class Outcome(Value):
    """What a provider says of an attempt; `unknown`: it does not know yet."""

    state: Literal["done", "refused", "unknown"]
    provider_reference: str = ""
    reason: str = ""


SLOW_MAX_MS = 600_000  # longer than any call may take


class Provider(Protocol):
    """Carries payments out. Every call has a key: the same key again has the same outcome and no second effect.

    A call that raises, or does not return in time, has an unknown outcome; `look_up` tells it later.
    """

    name: str
    methods: tuple[str, ...]

    async def authorise(self, *, key: str, amount: Money, token: str) -> Outcome: ...
    async def capture(self, *, key: str, authorisation: str, amount: Money) -> Outcome: ...
    async def void(self, *, key: str, authorisation: str) -> Outcome: ...
    async def refund(self, *, key: str, authorisation: str, amount: Money) -> Outcome: ...

    async def look_up(self, *, key: str) -> Outcome:
        """Say what became of a call; `refused` where it never arrived."""
        ...

    def read(self, payload: str) -> tuple[str, Outcome]:
        """Read a notification: the key that it is about, and the outcome. Raises BadAsk for one that is not its own."""
        ...


@runtime_checkable
class Signing(Protocol):
    """A provider that says more than how attempts ended, such as that a payer's bank takes money back."""

    def signed(self, payload: str) -> bytes:
        """Return what the provider said with it. Raises BadAsk for what is not its own."""
        ...


class Providers:
    """The providers that are connected, by name; the composition root makes it."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.by_name = {provider.name: provider for provider in providers}

    def taking(self, method: str) -> tuple[str, ...]:
        """Return the names of those who take a method."""
        return tuple(name for name, provider in sorted(self.by_name.items()) if method in provider.methods)

    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(method for one in self.by_name.values() for method in one.methods))


def connected(place: Place) -> Providers:
    """Connect the providers that the settings chose."""
    return Providers(place.providers.values())


class Notification(Value):
    """What the test provider sends."""

    key: str
    outcome: Outcome


class TestProvider:
    """A provider in memory, steered by the token; anything else is approved.

        decline:REASON  refuses                        slow:MS  approves, and answers late
        timeout         approves, and never answers    lost     never gets the message
        twice           approves, and notifies twice   pending  does not know yet: `settle` says it later

    Whatever it did it also puts into `notifications`, so that an answer can be met by its own notification.
    """

    name: str = "test"
    methods: tuple[str, ...] = ("card", "wallet")
    __test__ = False  # no test case, whatever pytest thinks of its name

    def __init__(self, name: str = "") -> None:
        self.name = name or self.name
        self.outcomes: dict[str, Outcome] = {}
        self.notifications: list[str] = []
        self.moved: list[tuple[str, str, Money, date]] = []  # what its file says
        self.said: set[str] = set()  # beside notifications
        self.effects = 0  # how often money was moved or held: what must never be counted twice

    async def authorise(self, *, key: str, amount: Money, token: str) -> Outcome:
        word, _, rest = token.partition(":")
        if word == "decline":
            return self._ended(key, Outcome(state="refused", reason=rest or "declined"))
        if word == "lost":
            raise ConnectionError("the test provider was told not to be there")
        if word == "pending":
            return self.outcomes.setdefault(key, Outcome(state="unknown", reason="pending"))
        outcome = self._ended(key, Outcome(state="done", provider_reference=f"test-{key}"))
        if word == "timeout":
            raise TimeoutError("the test provider was told not to answer")
        if word == "twice":
            self.notifications.append(self.notifications[-1])
        if word == "slow" and (wait_ms := whole_number(rest, 0, SLOW_MAX_MS)) is not None:
            await asyncio.sleep(wait_ms / 1000)
        return outcome

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> Outcome:
        return self._moved("capture", key, amount, authorisation)

    async def void(self, *, key: str, authorisation: str) -> Outcome:
        return self._ended(key, Outcome(state="done", provider_reference=authorisation))

    async def refund(self, *, key: str, authorisation: str, amount: Money) -> Outcome:
        return self._moved("refund", key, -amount, authorisation)

    async def look_up(self, *, key: str) -> Outcome:
        return self.outcomes.get(key, Outcome(state="refused", reason="it never arrived"))

    def read(self, payload: str) -> tuple[str, Outcome]:
        found = decode(payload.encode(), Notification)
        if self.outcomes.get(found.key) != found.outcome:
            raise errors.BadAsk("the test provider did not send this", remedy="send one of its notifications")
        return found.key, found.outcome

    def signed(self, payload: str) -> bytes:
        if payload not in self.said:
            raise errors.BadAsk("the test provider did not send this", remedy="send what it said")
        return payload.encode()

    def file(self, fee_ppm: int = 0) -> str:
        """Write what it moved as providers' files do, with what it kept of each capture."""
        rows = ["reference,kind,date,currency,amount,fee"]
        for key, kind, amount, day in self.moved:
            fee = Money(currency=amount.currency, minor=max(0, amount.minor) * fee_ppm // 1_000_000)
            digits, fees = (str(one).removesuffix(f" {amount.currency}") for one in (amount, fee))
            rows.append(f"{key},{kind},{day},{amount.currency},{digits},{fees}")
        return "\n".join(rows) + "\n"

    def settle(self, key: str, outcome: Outcome) -> None:
        """Decide what was pending, and notify."""
        self._ended(key, outcome)

    def _moved(self, kind: str, key: str, amount: Money, authorisation: str) -> Outcome:
        if key not in self.outcomes:
            self.moved.append((key, kind, amount, datetime.now(UTC).date()))
        return self._ended(key, Outcome(state="done", provider_reference=authorisation))

    def _ended(self, key: str, outcome: Outcome) -> Outcome:
        known = self.outcomes.get(key)
        if known is None or known.state == "unknown":
            self.outcomes[key] = outcome
            self.effects += outcome.state == "done"
            self.notifications.append(encode(Notification(key=key, outcome=outcome)).decode())
        return self.outcomes[key]


def _test_provider(name: str, _: NoSettings) -> TestProvider:
    return TestProvider(name)


TEST = ProviderType(settings=NoSettings, make=_test_provider)
