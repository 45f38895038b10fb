"""Answers that come in pages: which is the next, and whether those that came are all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

import httpx
from pydantic import Field, model_validator

from blocks.errors import SourceGarbled
from blocks.models import Strict
from blocks.partners.answers import Answer
from blocks.partners.http import place_of

_TOTAL_HEADER = "x-total-count"
_LONGEST_LINK = 8_192
_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.IGNORECASE)


class Paging(Strict):
    """How a partner divides what it has into pages.

    Of ``offset`` and ``page`` the end is an empty page, or the total where it is told: a page that
    is shorter than asked for may be as long as the partner lets it be.
    """

    style: Literal["link", "next", "cursor", "offset", "page"] = Field(
        description="link: a Link header with rel=next (RFC 8288); next: the next page's address "
        "in the JSON at next_path; cursor: a text at next_path that goes into the parameter "
        "cursor; offset: parameters offset and limit; page: a page's number and its size."
    )
    next_path: str = Field(
        default="", description="Dotted keys of the next page's address or cursor: meta.next."
    )
    parameter: str = Field(
        default="",
        description="Query parameter of the cursor, the offset or the page's number; cursor, "
        "offset or page if empty.",
    )
    size_parameter: str = Field(
        default="", description="Query parameter of how many rows a page has; not sent if empty."
    )
    size: int = Field(default=100, ge=1, le=100_000, description="Rows to ask for per page.")
    first: int = Field(default=1, ge=0, le=1, description="Number of the first page.")
    total_path: str = Field(
        default="",
        description="Dotted keys of how many rows there are in all; the header X-Total-Count "
        "is looked at anyway.",
    )
    max_pages: int = Field(default=1_000, ge=1, description="More pages are an error.")
    max_rows: int = Field(default=100_000, ge=1, description="More rows are an error.")
    max_bytes: int = Field(
        default=50 * 1024 * 1024, ge=1, description="More bytes of all pages are an error."
    )
    max_seconds: float = Field(default=120.0, gt=0, description="What all pages may take.")

    @model_validator(mode="after")
    def _has_what_its_style_needs(self) -> Paging:
        if self.style in ("next", "cursor") and not self.next_path:
            raise ValueError(f"style {self.style!r} needs next_path")
        return self


class Walk:
    """The way through the pages of one answer.

    Attributes:
        url: The page to ask for next; "" when there is none.
        pages: Pages that came.
        rows: Rows in them; 0 where they are not counted (see ``take``).

    Args:
        paging: How the pages are divided.
        url: Where they begin.
        params: Further query parameters of the first page.
        records_path: Dotted keys of the rows in a JSON page.
        source: Who answers, for error messages.
    """

    def __init__(
        self,
        paging: Paging,
        url: str,
        params: Mapping[str, str] | None,
        records_path: str,
        source: str,
    ) -> None:
        self._paging = paging
        place_of(url, source)  # before anything else reads it
        self._start = httpx.URL(url).copy_merge_params(dict(params or {}))
        self._records_path = records_path
        self._source = source
        self._asked: set[str] = set()
        self._bodies: set[bytes] = set()
        self._bytes = 0
        self._counts = paging.style != "link" or bool(paging.total_path)
        self._total: int | None = None
        self.pages = 0
        self.rows = 0
        self.url = str(self._with(self._place()))

    def take(self, answer: Answer) -> None:
        """Take a page that came, and find the next.

        Rows are counted, in JSON of at most ``answers.MAX_JSON`` bytes a page, in every style but
        ``link``; there if it is JSON and tells a total.

        Raises:
            SourceGarbled: See Partner.pages.
        """
        self.pages += 1
        self._asked.add(self.url)
        self._bytes += len(answer.body)
        self._require(self._bytes, self._paging.max_bytes, "bytes")
        told = answer.headers.get(_TOTAL_HEADER, "")
        if self.pages == 1:
            is_json = "json" in answer.content_type
            self._counts |= bool(told) and is_json
        document = self._document(answer) if self._counts else None
        rows = self._rows_of(document) if self._counts else 0
        self.rows += rows
        self._require(self.rows, self._paging.max_rows, "rows")
        self._note_total(document, told)
        if rows and self._paging.style in ("offset", "page"):
            self._refuse_repeated(answer.body)
        following = self._next(answer, document, rows)
        if following is None:
            self.url = ""
            self._require_all()
            return
        self._require(self.pages + 1, self._paging.max_pages, "pages")
        if str(following) in self._asked:
            raise self._garbled(f"goes in a circle: after page {self.pages} comes an earlier one")
        self.url = str(following)

    def _next(self, answer: Answer, document: Any, rows: int) -> httpx.URL | None:
        match self._paging.style:
            case "link":
                return self._linked(_next_link(answer.headers.get("link", "")))
            case "next":
                return self._linked(self._text_at_next(document))
            case "cursor":
                cursor = self._text_at_next(document)
                return self._with(cursor) if cursor else None
        complete = self._total is not None and self.rows >= self._total
        return self._with(self._place()) if rows and not complete else None

    def _place(self) -> str:
        """Where the next page begins, by what has come so far; "" when only the partner knows."""
        match self._paging.style:
            case "offset":
                return str(self.rows)
            case "page":
                return str(self._paging.first + self.pages)
        return ""

    def _with(self, place: str) -> httpx.URL:
        paging = self._paging
        params = {paging.size_parameter: str(paging.size)} if paging.size_parameter else {}
        if place:
            params[paging.parameter or paging.style] = place
        return self._start.copy_merge_params(params)

    def _linked(self, target: str) -> httpx.URL | None:
        """The address of the next page, which may lead nowhere else: our credentials go with it."""
        if not target:
            return None
        try:
            url = httpx.URL(self.url).join(target)
        except httpx.InvalidURL:
            raise self._garbled("names a next page that is no address") from None
        if _origin(url) != _origin(self._start) or url.userinfo:
            raise self._garbled(
                f"names a next page at another server ({url.scheme}://{url.netloc.decode(errors='replace')[:80]})"
            )
        return url

    def _text_at_next(self, document: Any) -> str:
        found = _at(document, self._paging.next_path)
        if found is None or found is False or found == "":
            return ""
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise self._garbled(f"has no text at {self._paging.next_path!r}")
        return str(found)

    def _refuse_repeated(self, body: bytes) -> None:
        seen = sha256(body).digest()
        if seen in self._bodies:
            raise self._garbled(
                f"sends page {self.pages} as it sent an earlier one",
                "Check parameter in the connection's paging: does the partner know it?",
            )
        self._bodies.add(seen)

    def _document(self, answer: Answer) -> Any:
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise self._garbled(
                f"sends a page that is not read as JSON ({str(error)[:80]}; "
                f"{answer.content_type or 'no content type'}, beginning {answer.beginning()!r})",
                "Check the connection's paging; of a page that is too large, lower its size.",
            ) from None

    def _rows_of(self, document: Any) -> int:
        rows = _at(document, self._records_path)
        if not isinstance(rows, list):
            raise self._garbled(
                f"sends a page with no list at {self._records_path!r}",
                "Check the connection's records_path.",
            )
        return len(rows)

    def _note_total(self, document: Any, told: str) -> None:
        """Keep how many rows there are in all; the latest page knows best."""
        total = _at(document, self._paging.total_path) if self._paging.total_path else told
        if not self._counts or total in (None, ""):
            return
        if not isinstance(total, int | str) or not re.fullmatch(r"\d{1,15}", str(total)):
            raise self._garbled(f"tells a total that is no number: {total!r:.40}")
        self._total = int(total)

    def _require_all(self) -> None:
        if self._total is not None and self.rows != self._total:
            raise self._garbled(
                f"names {self._total:,} in all, and {self.rows:,} rows were read",
                "Check the connection's paging; if rows came and went meanwhile, ask once more.",
            )

    def _require(self, number: int, most: int, what: str) -> None:
        if number > most:
            raise self._garbled(
                f"has more than {most:,} {what}",
                f"Narrow the request, or raise max_{what} of the connection's paging.",
            )

    def _garbled(self, what: str, hint: str = "Check the connection's paging.") -> SourceGarbled:
        return SourceGarbled(f"The answer of {self._source} {what}.", hint=hint)


def _next_link(value: str) -> str:
    """The target of rel=next in a Link header (RFC 8288, section 3); "" when there is none."""
    for target, parameters in _LINK.findall(value[:_LONGEST_LINK]):
        relations = _REL.search(parameters)
        if relations and "next" in (relations[1] or relations[2]).lower().split():
            return str(target.strip())
    return ""


def _at(document: Any, path: str) -> Any:
    """What lies at dotted keys of a document; None when nothing does."""
    for key in path.split(".") if path else ():
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
