"""A supplier's order desk as its connection describes it: an API that takes orders, or mail."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from blocks.formats.documents import is_element_path
from blocks.formats.parsing import Format
from blocks.models import Strict
from blocks.prefect_api.mail import MailAddress, MailServer
from blocks.text import did_you_mean
from blocks.vocabulary.purchasing import SupplierSays

ORDER_FIELDS = ("reference", "supplier", "currency", "site", "wanted_by", "lines")
"""What an order has once; ``lines`` is where its items stand."""

LINE_FIELDS = ("sku", "name", "units", "unit_cost")
"""What each of its items has."""

ANSWER_FIELDS = ("reference", "number", "status", "currency", "at", "detail", "lines")
CONFIRMED_FIELDS = ("sku", "units", "unit_cost", "expected_on")
"""What an answer may tell of an order, and of each of its items."""

_NEEDED = {"reference", "sku", "units"}


def _with_reference_alone(template: str) -> str:
    """A text in which ``{reference}`` may stand, and no other placeholder.

    Raises:
        ValueError: It has another one, or a brace that is none.
    """
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        names = {"?"}
    if names - {"reference"}:
        raise ValueError(f"{template!r} may hold {{reference}}, and no other brace")
    return template


Template: TypeAlias = Annotated[str, AfterValidator(_with_reference_alone)]


class ApiDesk(Strict):
    """A supplier takes orders over HTTP: one POST per order, in a format of its own.

    Attributes:
        orders_path: Where orders are posted, below the connection's base URL.
        format: Format of orders. A CSV has one row per item, with the order's own fields in each.
        fields: Our name (``ORDER_FIELDS``, ``LINE_FIELDS``) to theirs: dotted JSON keys, a CSV
            column, an XML element path or ``@attribute``. ``lines`` is where the items stand,
            theirs of an item start from there. What is not named is not sent.
        fixed: Their name to what it always is, for instance a customer number.
        root: Name of the outermost XML element.
        idempotency_header: Header by which it knows an order that comes again; "" if it has none.
        find_path: Where it is asked about an order: ``orders?reference={reference}`` or
            ``orders/{reference}``, which answers 404 for one that it does not have; "" if it
            cannot be asked.
        found_at: Where the orders stand in the answer to that, of a CSV the column that tells
            them apart; "" if the answer is the order.
        answer_format: Format of its answers; that of orders when None.
        answer: Our name (``ANSWER_FIELDS``, ``CONFIRMED_FIELDS``) to theirs.
        status_words: Its words for how an order stands, to ours. Capitals do not matter.
    """

    via: Literal["api"]
    orders_path: str = Field(min_length=1)
    format: Format = "json"
    fields: dict[str, str] = Field(
        default_factory=lambda: {
            name: name for name in ("reference", "currency", "lines", "sku", "units", "unit_cost")
        }
    )
    fixed: dict[str, str | int | float | bool] = Field(default_factory=dict)
    root: str = Field(default="order", pattern=r"^[A-Za-z_][\w.-]*$")
    idempotency_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    find_path: Template = ""
    found_at: str = ""
    answer_format: Format | None = None
    answer: dict[str, str] = Field(default_factory=dict)
    status_words: dict[str, SupplierSays] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_written_and_read(self) -> ApiDesk:
        _require_known(self.fields, (*ORDER_FIELDS, *LINE_FIELDS), "fields")
        _require_known(self.answer, (*ANSWER_FIELDS, *CONFIRMED_FIELDS), "answer")
        needed = _NEEDED if self.format == "csv" else _NEEDED | {"lines"}
        if missing := sorted(needed - set(self.fields)):
            raise ValueError(f"fields names no {', no '.join(missing)}")
        if self.find_path and "{reference}" not in self.find_path:
            raise ValueError("find_path has no {reference}: it would ask about no order")
        if self.find_path and not {"reference", "status"} & set(self.answer):
            raise ValueError(
                "find_path is asked, and answer names no reference and no status: whatever came "
                "would be taken for the order"
            )
        if self.status_words and "status" not in self.answer:
            raise ValueError("status_words are read where answer.status says, and it is not named")
        if bool(set(self.answer) & set(CONFIRMED_FIELDS)) and "sku" not in self.answer:
            raise ValueError("answer names what is said of items, and no sku to tell them by")
        if self.found_at and "reference" not in self.answer:
            raise ValueError("found_at leads to several orders, and answer names no reference")
        self._require_paths()
        return self

    def _require_paths(self) -> None:
        written = {**self.fields, **{f"fixed {path}": path for path in self.fixed}}
        if self.format == "xml":
            for name, path in written.items():
                if not is_element_path(path, to_write=True):
                    raise ValueError(f"{name}: {path!r} is no element path such as lines/line")
        for name, path in {**self.answer, "found_at": self.found_at}.items():
            if self.reads == "xml" and not is_element_path(path):
                raise ValueError(f"answer.{name}: {path!r} is no element path such as lines/line")
        _require_apart([path for name, path in written.items() if name not in LINE_FIELDS])
        _require_apart([path for name, path in written.items() if name in LINE_FIELDS])

    @property
    def reads(self) -> Format:
        """Format of its answers."""
        return self.answer_format or self.format

    @property
    def is_idempotent(self) -> bool:
        """Whether an order that comes twice with the same key is taken once."""
        return bool(self.idempotency_header)

    @property
    def can_be_asked(self) -> bool:
        """Whether it can be asked if it has an order."""
        return bool(self.find_path)


class MailDesk(Strict):
    """A supplier takes orders by mail, each once: nobody can ask whether it has one.

    Attributes:
        to: Where orders go.
        subject: Of the mail; ``{reference}`` is our number of the order.
        server: The mail server that sends them.
    """

    via: Literal["mail"]
    to: MailAddress
    subject: Template = "Purchase order {reference}"
    server: MailServer

    @property
    def is_idempotent(self) -> bool:
        """Whether an order that comes twice is taken once: whoever reads it may see, or not."""
        return False

    @property
    def can_be_asked(self) -> bool:
        """Whether it can be asked if it has an order: a person can, we cannot."""
        return False


DESKS: dict[str, type[ApiDesk | MailDesk]] = {"api": ApiDesk, "mail": MailDesk}
"""By how they are reached, as ``via`` says it."""


def _require_known(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise ValueError(f"{where}: there is no {name!r}. {did_you_mean(name, known)}")


def _require_apart(paths: list[str]) -> None:
    """Each value has a place of its own, which is none of the folders of another's."""
    for i, path in enumerate(paths):
        if not path:
            raise ValueError("fields and fixed name something of theirs that has no name")
        for other in paths[:i] + paths[i + 1 :]:
            if other == path or other.startswith(f"{path}."):
                raise ValueError(f"{path!r} would hold two things: {path!r} and {other!r}")
