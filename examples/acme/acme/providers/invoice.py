"""Invoice: a payment provider of our own. It approves what is paid on invoice; replace its calls by those of yours.

isthmus.toml connects it:

    [providers.payment.invoice]
    use = "acme.providers.invoice:INVOICE"
"""

from __future__ import annotations

from isthmus.kernel import Value, errors
from isthmus.manifest import ProviderType
from isthmus.packs.payment import api as payment
from isthmus.values import Money


class Settings(Value):
    """What `[providers.payment.invoice]` may say."""

    methods: tuple[str, ...] = ("invoice",)


class InvoiceProvider:
    """Approves every payment whose token is no refusal, and keeps what it did by key, so that a retry has no effect."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.methods = settings.methods
        self._outcomes: dict[str, payment.Outcome] = {}

    async def authorise(self, *, key: str, amount: Money, token: str) -> payment.Outcome:
        if token.startswith("decline:"):
            return self._ended(key, payment.Outcome(state="refused", reason=token.removeprefix("decline:")))
        return self._ended(key, payment.Outcome(state="done", provider_reference=f"invoice-{key}"))

    async def capture(self, *, key: str, authorisation: str, amount: Money) -> payment.Outcome:
        return self._ended(key, payment.Outcome(state="done", provider_reference=authorisation))

    async def void(self, *, key: str, authorisation: str) -> payment.Outcome:
        return self._ended(key, payment.Outcome(state="done", provider_reference=authorisation))

    async def refund(self, *, key: str, authorisation: str, amount: Money) -> payment.Outcome:
        return self._ended(key, payment.Outcome(state="done", provider_reference=authorisation))

    async def look_up(self, *, key: str) -> payment.Outcome:
        return self._outcomes.get(key, payment.Outcome(state="refused", reason="it never arrived"))

    def read(self, payload: str) -> tuple[str, payment.Outcome]:
        raise errors.BadAsk("this provider sends no notifications", remedy="leave its address out")

    def _ended(self, key: str, outcome: payment.Outcome) -> payment.Outcome:
        return self._outcomes.setdefault(key, outcome)


INVOICE = ProviderType(settings=Settings, make=InvoiceProvider)
