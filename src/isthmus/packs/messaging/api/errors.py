"""What can be wrong with pushes."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import errors


class WrongEndpoint(errors.BadAsk):
    """A device cannot be reached there."""

    slug = "messaging.wrong-endpoint"

    def __init__(self, *, because: str, path: str) -> None:
        remedy = "give what the browser's PushSubscription, APNs or FCM has given to the app"
        super().__init__(f"the endpoint {because}", remedy=remedy, path=path)


class UnknownKind(errors.RuleBroken):
    """Nobody here pushes to devices of this kind."""

    slug = "messaging.unknown-kind"

    def __init__(self, *, kind: str, known: list[str]) -> None:
        listed = ", ".join(known) or "none"
        fact = f"no provider pushes to {kind!r}; there are {listed}"
        super().__init__(fact, remedy="choose one in [providers.messaging.<name>]", path="$.kind")


class UnknownZone(errors.BadAsk):
    """There is no such time zone."""

    slug = "messaging.unknown-zone"

    def __init__(self, *, zone: str) -> None:
        super().__init__(f"there is no time zone {zone!r}", remedy="write one such as Europe/Berlin", path="$.zone")


class PayloadTooLarge(errors.BadAsk):
    """A push would be larger than services take."""

    slug = "messaging.payload-too-large"

    def __init__(self, *, size: int, most: int) -> None:
        fact = f"the push has {size} bytes, and push services take {most}"
        super().__init__(fact, remedy="say less, and let the link lead to the rest", path="$.draft.body")


class UnknownCampaign(errors.NotFound):
    """There is no such campaign."""

    slug = "messaging.unknown-campaign"

    def __init__(self, *, campaign_id: int) -> None:
        super().__init__(f"there is no campaign {campaign_id}", remedy="list them", path="$.campaign_id")


class CampaignEnded(errors.Conflict):
    """A campaign cannot be steered any more, or not so."""

    slug = "messaging.campaign-ended"

    def __init__(self, *, campaign_id: int, state: str) -> None:
        super().__init__(f"campaign {campaign_id} is {state}", remedy="start another one", path="$.campaign_id")


class TwoAudiences(errors.BadAsk):
    """A campaign is for a topic or for a segment."""

    slug = "messaging.two-audiences"

    def __init__(self) -> None:
        super().__init__("both a topic and a segment are named", remedy="give one, or none for all", path="$.segment")


class UnknownMessage(errors.NotFound):
    """The member has no such message."""

    slug = "messaging.unknown-message"

    def __init__(self, *, message_id: UUID) -> None:
        super().__init__(f"the member has no message {message_id}", remedy="list the inbox", path="$.message_id")
