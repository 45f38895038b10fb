"""The status page: its files, and the page that everybody may see."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

from blocks.errors import OrchestratorError
from deployments.api.context import Ctx
from deployments.api.http.problems import RETRY_SOON, Refused
from deployments.api.routes.overview import Rendered, conditional, watch

log = logging.getLogger("orchestrator.api")

router = APIRouter(include_in_schema=False)

_READ = ["GET", "HEAD"]

FOLDER = Path(__file__).parents[1] / "page"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def _read(file: Path) -> Rendered:
    body = file.read_bytes()
    return Rendered(body, f'"{sha256(body).hexdigest()[:32]}"')


_FILES = {file.name: _read(file) for file in FOLDER.iterdir() if file.suffix in _TYPES}


@router.api_route("/", methods=_READ)
async def page(request: Request) -> Response:
    """The page; what it shows it asks for, with a token where one is needed."""
    return _file(request, "index.html")


@router.api_route("/page/{name}", methods=_READ)
async def page_file(name: str, request: Request) -> Response:
    """A file of the page."""
    return _file(request, name)


@router.api_route("/public", methods=_READ)
async def public_page(request: Request, ctx: Ctx) -> Response:
    """The page that everybody may see; 404 unless it is configured."""
    _expect_public(ctx)
    return _file(request, "index.html")


@router.api_route("/public/overview", methods=_READ)
async def public_overview(request: Request, ctx: Ctx) -> Response:
    """What it shows; when it cannot be told, not why: an error names files and servers."""
    _expect_public(ctx)
    try:
        return conditional(request, await watch(request).public.get())
    except OrchestratorError as error:
        log.warning("The public page cannot be computed: %s", error)
        raise Refused(
            503, "unavailable", "The status cannot be told just now.", headers=RETRY_SOON
        ) from None


def _expect_public(ctx: Ctx) -> None:
    if not ctx.settings.public_parts:
        raise Refused(404, "not-found", "There is no public page.")


def _file(request: Request, name: str) -> Response:
    file = _FILES.get(name)
    if file is None:
        raise Refused(404, "not-found", f"The page has no file {name[:100]!r}.")
    response = conditional(request, file)
    response.headers.update(_HEADERS)
    response.headers["Content-Type"] = _TYPES[Path(name).suffix]
    return response
