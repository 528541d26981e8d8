"""What can be wrong with releases."""

from __future__ import annotations

from isthmus.kernel import errors


class UnknownRelease(errors.NotFound):
    """There is no such release."""

    slug = "releases.unknown-release"

    def __init__(self, *, number: int) -> None:
        super().__init__(f"there is no release {number}", remedy="list the releases", path="$.number")


class NoArtefact(errors.RuleBroken):
    """A release has nothing that could be run."""

    slug = "releases.no-artefact"

    def __init__(self, *, because: str) -> None:
        remedy = "put the file to /releases/files first, or give the address of a store"
        super().__init__(because, remedy=remedy, path="$.sha256")


class VersionTaken(errors.Conflict):
    """This version is published already."""

    slug = "releases.version-taken"

    def __init__(self, *, version: str) -> None:
        remedy = "give it a version of its own: who has it already would not notice"
        super().__init__(f"version {version} is published already", remedy=remedy, path="$.version")


class ShareOnlyGrows(errors.RuleBroken):
    """A share cannot be made smaller: who has the version keeps it."""

    slug = "releases.share-only-grows"

    def __init__(self, *, share: int) -> None:
        fact = f"{share} % of devices are given it already"
        super().__init__(fact, remedy="pause it, or roll it back", path="$.share")


class NotRolling(errors.Conflict):
    """The release is in another state."""

    slug = "releases.not-rolling"

    def __init__(self, *, number: int, state: str) -> None:
        super().__init__(f"release {number} is {state}", remedy="publish another one", path="$.number")


class NothingBefore(errors.RuleBroken):
    """There is no version that could be gone back to."""

    slug = "releases.nothing-before"

    def __init__(self, *, number: int) -> None:
        fact = f"no release before {number} was given to everybody"
        super().__init__(fact, remedy="pause it, and publish one that works", path="$.number")


class WrongDelta(errors.RuleBroken):
    """A delta does not lead from this base to what it says."""

    slug = "releases.wrong-delta"

    def __init__(self, *, because: str) -> None:
        super().__init__(because, remedy="load the whole artefact", path="$")


class FileTooLarge(errors.BadAsk):
    """A file is empty, or larger than is kept here."""

    slug = "releases.file-too-large"

    def __init__(self, *, size: int, most: int) -> None:
        fact = f"the file has {size} bytes, and 1 to {most} are taken"
        super().__init__(fact, remedy="publish it with the address of a store", path="$.size")
