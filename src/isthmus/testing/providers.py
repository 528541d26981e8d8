"""What a provider of anybody's has to keep, as tests: a subclass says how to make one, and pytest runs them all.

class TestAcme(PaymentProviderContract):
    async def provider(self):
        return AcmeProvider(url=…)
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from isthmus.kernel import decode, encode, errors
from isthmus.manifest import Secrets
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.media import api as media
from isthmus.packs.notification import api as notification
from isthmus.packs.payment import api as payment
from isthmus.packs.risk import api as risk
from isthmus.packs.tax import api as tax
from isthmus.values import Address, money


class PaymentProviderContract:
    """The tests of a payment provider. GOOD is a token that it approves, BAD one that it refuses."""

    GOOD = "good"
    BAD = "decline:no"

    async def provider(self) -> payment.Provider:
        """Return the provider under test, ready to be asked: a new one, or one that no other test asks meanwhile."""
        raise NotImplementedError

    async def test_the_same_key_again_has_the_same_outcome(self) -> None:
        provider, key = await self.provider(), uuid4().hex
        first = await provider.authorise(key=key, amount=money(1200, "EUR"), token=self.GOOD)
        again = await provider.authorise(key=key, amount=money(1200, "EUR"), token=self.GOOD)
        assert first.state == "done", f"{self.GOOD!r} is to be approved: {first}"
        assert first.provider_reference, "what was authorised has a reference, by which it is captured"
        assert again == first, "the same key has another outcome: a retry would hold the money twice"

    async def test_money_is_captured_and_given_back_by_its_reference(self) -> None:
        provider = await self.provider()
        held = await provider.authorise(key=uuid4().hex, amount=money(1200, "EUR"), token=self.GOOD)
        reference = held.provider_reference
        taken = await provider.capture(key=uuid4().hex, authorisation=reference, amount=money(1200, "EUR"))
        given = await provider.refund(key=uuid4().hex, authorisation=reference, amount=money(200, "EUR"))
        assert (taken.state, given.state) == ("done", "done"), (taken, given)

    async def test_what_is_held_can_be_let_go(self) -> None:
        provider = await self.provider()
        held = await provider.authorise(key=uuid4().hex, amount=money(1200, "EUR"), token=self.GOOD)
        gone = await provider.void(key=uuid4().hex, authorisation=held.provider_reference)
        assert gone.state == "done", gone

    async def test_a_refusal_says_why_and_is_looked_up_the_same(self) -> None:
        provider, key = await self.provider(), uuid4().hex
        refused = await provider.authorise(key=key, amount=money(1200, "EUR"), token=self.BAD)
        assert refused.state == "refused", f"{self.BAD!r} is to be refused: {refused}"
        assert refused.reason, "a refusal without a reason helps nobody"
        assert (await provider.look_up(key=key)).state == "refused"

    async def test_what_arrived_is_looked_up_and_what_never_did_is_refused(self) -> None:
        provider, key = await self.provider(), uuid4().hex
        done = await provider.authorise(key=key, amount=money(1200, "EUR"), token=self.GOOD)
        assert await provider.look_up(key=key) == done
        assert (await provider.look_up(key=uuid4().hex)).state == "refused"

    async def test_what_it_did_not_send_is_no_notification(self) -> None:
        provider = await self.provider()
        for payload in ("", "{}", '{"key": "k", "outcome": {"state": "done"}}', "0." + '{"key": "k"}'):
            try:
                provider.read(payload)
            except errors.BadAsk:
                continue
            raise AssertionError(f"{payload!r} was taken for a notification: anybody could say that money came")


class SecretsContract:
    """The tests of who keeps secrets: under NAME it has VALUE."""

    NAME = "ACME_KEY"
    VALUE = "only for tests"

    def provider(self) -> Secrets:
        """Return the provider under test, in whose keeping the secret NAME has the value VALUE, and nothing else."""
        raise NotImplementedError

    def test_what_is_there_is_given_and_the_rest_is_left_out(self) -> None:
        found = dict(self.provider().read([self.NAME, "NOT_THERE"]))
        assert found == {self.NAME: self.VALUE}, f"only {self.NAME!r} is there, as it was put: {list(found)}"

    def test_nothing_is_given_that_was_not_asked_for(self) -> None:
        assert dict(self.provider().read([])) == {}

    def test_it_says_where_a_secret_has_to_be_put(self) -> None:
        said = self.provider().place("NOT_THERE")
        assert "NOT_THERE" in said, f"whoever has to put it there does not learn its name: {said!r}"

    def test_no_value_is_printed_with_it(self) -> None:
        provider = self.provider()
        provider.read([self.NAME])
        printed = f"{provider} {provider!r} {provider.place(self.NAME)}"
        assert self.VALUE not in printed, "a value stands in what a log may hold"


class NotificationSenderContract:
    """The tests of who sends messages. It takes MEDIUM, and letters to GOOD; those to REFUSED it refuses for good."""

    MEDIUM = "email"
    GOOD = "ada@example.org"
    REFUSED = ""  # nothing: it refuses no address

    async def sender(self) -> notification.Sender:
        """Return the sender under test, whose letters go nowhere but where `arrived` looks."""
        raise NotImplementedError

    async def arrived(self) -> Sequence[notification.Letter]:
        """Return what has arrived at whom it was sent to, as its reader sees it."""
        raise NotImplementedError

    async def test_a_letter_arrives_as_it_was_written(self) -> None:
        sender = await self.sender()
        text = "Grüße, 您好\n\n.a dot first\n" + "a long line " * 200
        letter = self._letter(subject="Bestellung – 订单 1", text=text)
        receipt = await sender.send(letter)
        assert receipt.state == "sent", receipt
        (found,) = await self.arrived()
        assert (found.id, found.address, found.subject) == (letter.id, letter.address, letter.subject)
        lines = found.text.strip().splitlines()
        assert lines == text.strip().splitlines(), f"its words are others: {lines}"

    async def test_a_letter_that_is_sent_again_is_known_by_its_id(self) -> None:
        sender, letter = await self.sender(), self._letter()
        assert [(await sender.send(letter)).state for _ in range(2)] == ["sent", "sent"]
        assert {one.id for one in await self.arrived()} == {letter.id}, "its reader cannot tell that it is the same"

    async def test_a_subject_cannot_add_a_reader(self) -> None:
        sender = await self.sender()
        await sender.send(self._letter(subject="Hello\r\nBcc: eve@example.org"))
        assert {one.address for one in await self.arrived()} <= {self.GOOD}

    async def test_what_it_will_never_take_is_refused_with_a_reason_that_names_nobody(self) -> None:
        if not self.REFUSED:
            pytest.skip("it refuses no address")
        receipt = await (await self.sender()).send(self._letter(address=self.REFUSED))
        assert receipt.state == "refused", f"it would be tried for a day: {receipt}"
        assert receipt.reason
        assert self.REFUSED not in receipt.reason, "a reason is kept longer than an address"
        assert await self.arrived() == []

    def _letter(self, address: str = "", subject: str = "Hello", text: str = "Hello.\n") -> notification.Letter:
        return notification.Letter(
            id=str(uuid4()),
            medium=self.MEDIUM,
            address=address or self.GOOD,
            subject=subject,
            text=text,
            at=datetime(2026, 11, 28, 12, 0, tzinfo=UTC),
        )


class TaxServiceContract:
    """The tests of a tax service. It is asked for JURISDICTION, and goods of TAXED bear some tax there."""

    JURISDICTION = "US-OH"
    CURRENCY = "USD"
    TAXED = "standard"

    async def service(self) -> tax.TaxService:
        """Return the service under test, ready to be asked, such as one that is connected to a test environment."""
        raise NotImplementedError

    async def test_it_is_asked_where_it_says(self) -> None:
        assert (await self.service()).covers(self.JURISDICTION)

    async def test_every_line_is_answered_in_its_order_to_the_minor_unit(self) -> None:
        ask = self._ask(1200, 0, 99)
        said = tuple(await (await self.service()).assess(key=uuid4().hex, ask=ask))
        tax.fitting(ask, said)
        assert said[0].taxes, f"{self.TAXED!r} bears tax in {self.JURISDICTION}: {said}"
        assert sum(one.tax_minor for one in said[1].taxes) == 0, "what costs nothing bears no tax"
        assert all(one.name and one.jurisdiction for line in said for one in line.taxes), "nobody knows which tax it is"

    async def test_tax_that_is_included_is_a_part_of_what_is_paid(self) -> None:
        ask = self._ask(1200, is_included=True)
        said = tuple(await (await self.service()).assess(key=uuid4().hex, ask=ask))
        tax.fitting(ask, said)
        without = tuple(await (await self.service()).assess(key=uuid4().hex, ask=self._ask(1200)))
        assert self._sum(said) <= self._sum(without), "more is taken out of an amount than is added to it"

    async def test_the_same_ask_has_the_same_answer(self) -> None:
        service, key = await self.service(), uuid4().hex
        first, again = [tuple(await service.assess(key=key, ask=self._ask(1200))) for _ in range(2)]
        assert again == first

    def _ask(self, *amounts: int, is_included: bool = False) -> tax.Assessment:
        lines = (
            tax.AssessmentLine(sku=f"sku-{at}", quantity=1, tax_category=self.TAXED, amount_minor=amount)
            for at, amount in enumerate(amounts)
        )
        return tax.Assessment(
            jurisdiction=self.JURISDICTION,
            currency=self.CURRENCY,
            prices_include_tax=is_included,
            lines=tuple(lines),
        )

    def _sum(self, said: Sequence[tax.LineAssessment]) -> int:
        return sum(one.tax_minor for line in said for one in line.taxes)


class RiskScorerContract:
    """The tests of a service that scores what is judged."""

    async def scorer(self) -> risk.Scorer:
        """Return the service under test, ready to be asked, such as one that is connected to a test environment."""
        raise NotImplementedError

    @pytest.mark.parametrize("kind", risk.KINDS)
    async def test_every_kind_has_a_score_within_its_bounds(self, kind: risk.Kind) -> None:
        said = await (await self.scorer()).score(key=uuid4().hex, ask=self._ask(kind))
        assert -risk.SCORE_MAX <= said.score <= risk.SCORE_MAX
        assert decode(encode(said), risk.Score) == said, "its reasons are no codes such as new-device"

    async def test_what_has_no_amount_and_one_mark_has_a_score_too(self) -> None:
        ask = self._ask("sign-in").replace(amount=None, marks={"person": "0" * 64}, about={})
        assert isinstance((await (await self.scorer()).score(key=uuid4().hex, ask=ask)).score, int)

    async def test_the_same_ask_has_the_same_answer(self) -> None:
        scorer, key = await self.scorer(), uuid4().hex
        first, again = [await scorer.score(key=key, ask=self._ask("order")) for _ in range(2)]
        assert again == first

    def _ask(self, kind: risk.Kind) -> risk.ScoreAsk:
        return risk.ScoreAsk(
            front_end="north",
            kind=kind,
            hour=12,
            amount=money(1200, "EUR"),
            marks={"person": "0" * 64, "card": "1" * 64},
            about={"channel": "online"},
        )


class RateServiceContract:
    """The tests of a service that says what deliveries cost: by METHOD to HOME, and not to NOWHERE."""

    METHOD = "express"
    CURRENCY = "EUR"
    HOME = Address(country="DE", city="Kiel", postcode="24103")
    NOWHERE: Address | None = None  # nothing: it goes everywhere

    async def service(self) -> fulfilment.RateService:
        """Return the service under test, ready to be asked, such as one that is connected to a test environment."""
        raise NotImplementedError

    async def test_it_is_asked_about_its_methods_and_no_other(self) -> None:
        service = await self.service()
        assert (service.covers(self.METHOD), service.covers("no-such-method")) == (True, False)

    async def test_a_delivery_has_a_price_and_the_same_ask_the_same_one(self) -> None:
        service, key, ask = await self.service(), uuid4().hex, self._ask(self.HOME)
        first, again = [tuple(await service.rates(key=key, ask=ask)) for _ in range(2)]
        fulfilment.fitting_rates(ask, first)
        assert [one.method for one in first] == [self.METHOD]
        assert again == first, "a buyer would be shown one price and charged another"

    async def test_goods_arrive_after_they_are_sent(self) -> None:
        (rate,) = await (await self.service()).rates(key=uuid4().hex, ask=self._ask(self.HOME))
        assert rate.within_minutes is None or rate.after_minutes <= rate.within_minutes

    async def test_where_it_does_not_go_it_says_nothing(self) -> None:
        if self.NOWHERE is None:
            pytest.skip("it goes everywhere")
        assert tuple(await (await self.service()).rates(key=uuid4().hex, ask=self._ask(self.NOWHERE))) == ()

    def _ask(self, destination: Address) -> fulfilment.RateAsk:
        return fulfilment.RateAsk(
            methods=(self.METHOD,),
            currency=self.CURRENCY,
            amount_minor=4200,
            lines=(fulfilment.RateLine(sku="tea", quantity=2, weight_grams=250),),
            destination=destination,
        )


class FileStoreContract:
    """The tests of a store of files, in which AT_ONCE may put one name at the same time."""

    AT_ONCE = 3

    async def store(self) -> media.FileStore:
        """Return the store under test; it may hold other files: tests put theirs under names that nobody else has."""
        raise NotImplementedError

    async def test_what_was_put_is_there_byte_for_byte(self) -> None:
        store, content = await self.store(), uuid4().bytes * 5_000
        name = self._name(content)
        assert (await store.has(name), await store.get(name)) == (False, None)
        await store.put(name, content)
        assert await store.has(name)
        assert await store.get(name) == content

    async def test_a_file_may_be_put_again_and_by_several_at_once(self) -> None:
        store, content = await self.store(), uuid4().bytes * 5_000
        name = self._name(content)
        for _ in range(2):
            await asyncio.gather(*(store.put(name, content) for _ in range(self.AT_ONCE)))
        assert await store.get(name) == content

    async def test_one_file_is_not_another(self) -> None:
        store, contents = await self.store(), [uuid4().bytes for _ in range(3)]
        for content in contents:
            await store.put(self._name(content), content)
        assert [await store.get(self._name(content)) for content in contents] == contents

    def _name(self, content: bytes) -> str:
        return f"{hashlib.sha256(content).hexdigest()}.png"
