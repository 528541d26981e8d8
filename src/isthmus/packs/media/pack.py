"""The manifest of media."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Files, Resource

from . import api
from .service import files

PACK = Pack(
    name="media",
    owner="media",
    api=api,
    service=(files,),
    migrations="isthmus.packs.media:migrations",
    brings=(
        Resource(
            kind=api.MediaFiles,
            make=api.connected,
            providers="media",
            built_in={"folder": "isthmus.packs.media.api.stores:FOLDER"},
            stands_alone=True,
        ),
        Files(path="/media", kind=api.MediaFiles, bytes_max=api.BYTES_MAX, check=api.check_file, note=api.note_file),
    ),
    conditions=(
        Condition(
            name="media.few-files-a-subject",
            sentence="No subject has more files than a page shows.",
            sql="""select front_end, subject, count(*) from media.attachment
                   group by front_end, subject having count(*) > 50 limit 20""",
        ),
    ),
)
