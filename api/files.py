"""Bytes for signed-in people: images and clips of hits by digest, each look noted; the web's own files.

No path is ever made of what a client sends: digests must be 64 hexadecimal characters and known as a
capture of a hit. A package leaves by a disclosure only, which an officer signs (`api.disclosure`). No
browser keeps an original: who looks again, or another at the same desk, asks again and is noted.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from api.access import SignedInPerson, wiring_of
from api.access_log import note_access
from domain.errors import NotFound
from domain.ids import Sha256
from store.case_queries import shown_image

router = APIRouter()
STATIC = Path(__file__).parent / "static"

static_files = StaticFiles(directory=STATIC)


@router.get("/static/htmx.min.js", include_in_schema=False)
async def htmx() -> Response:
    """Serve htmx out of the installed django-js-lib-htmx wheel; no copy of it is in this repository."""
    source = files("js_lib_htmx").joinpath("static/htmx/htmx.min.js")
    return Response(
        source.read_bytes(), media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"}
    )


@router.get("/images/{sha256}", tags=["evidence"])
async def image(
    request: Request,
    person: SignedInPerson,
    sha256: Annotated[Sha256, PathParameter(pattern="^[0-9a-f]{64}$")],
) -> Response:
    """Return an image of a flagged passage, byte for byte as captured."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        shown = await shown_image(conn, sha256)
        path = wiring.blobs.path(sha256)
        if not shown or not path.is_file():
            raise NotFound("no flagged passage has this image")
        for one in shown:
            await note_access(wiring, conn, person, one, f"EV-{one.event_id}")
    return FileResponse(path, media_type=shown[0].content_type)
