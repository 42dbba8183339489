"""The admin page: a handful of static files under ``/admin``, which call the API beside them.

See ``docs/page.md``. All its addresses are relative, so it works under any prefix at which this router and that of the
API lie together.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from jobbers.api.packing import ENCODING, takes_gzip
from jobbers.api.route import ReadableRoute

PREFIX = "/admin"
ROOT = Path(__file__).parent.parent / "page"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""What every file comes with."""
DOCUMENT_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What comes with all that a browser can show by itself; of scripts and styles it heeds none of these. Nothing inline runs,
nothing comes from elsewhere, and a browser that knows trusted types refuses to make markup out of text at all."""
_PARTS = (".js", ".css")

router = APIRouter(prefix=PREFIX, include_in_schema=False, route_class=ReadableRoute)


class _File(NamedTuple):
    body: bytes
    packed: bytes
    media_type: str
    tag: str


@router.get("")
async def to_the_page() -> Response:
    """Lead to the address with the slash, without which relative addresses would lead astray."""
    return Response(status_code=307, headers={"Location": f"{PREFIX.removeprefix('/')}/", **DOCUMENT_HEADERS})


@router.get("/{name:path}")
async def file(request: Request, name: str) -> Response:
    """One file of the page; without a name the page itself."""
    found = _files().get(name or "index.html")
    if found is None:
        raise HTTPException(404)
    headers = HEADERS if name.endswith(_PARTS) else DOCUMENT_HEADERS
    headers = {**headers, "ETag": found.tag, "Vary": "Accept-Encoding"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if takes_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = ENCODING
        return Response(found.packed, media_type=found.media_type, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


@cache
def _files() -> dict[str, _File]:
    """All files by their names. They are looked up here and never on disk, so that no name can lead out of the folder."""
    return {
        path.relative_to(ROOT).as_posix(): _File(
            body, gzip.compress(body, mtime=0), _TYPES[path.suffix], _tag(body)
        )
        for path in sorted(ROOT.rglob("*"))
        if path.suffix in _TYPES and "node_modules" not in path.parts
        for body in (path.read_bytes(),)
    }


def _tag(body: bytes) -> str:
    """Weak, for the same file may come packed or not."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
