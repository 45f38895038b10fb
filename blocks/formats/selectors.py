"""One series of an exposition, chosen as PromQL writes it: ``name``, ``name{label="value"}``.

``sum(…)`` around it adds up what fits. All else of PromQL needs a Prometheus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.errors import ConfigurationError, NotFound
from blocks.formats.exposition import Exposition

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_TEXT = r'"(?:\\.|[^"\\])*"'
_MATCHER = re.compile(rf"\s*({_NAME})\s*(=~|!~|!=|=)\s*({_TEXT})\s*(?:,|$)")
_SELECTOR = re.compile(rf"(?P<name>{_NAME})?\s*(?:\{{(?P<inside>.*)\}})?")
_SUM = re.compile(r"sum\s*\((?P<what>.*)\)", re.DOTALL)
_SERIES = re.compile(rf"({_NAME})?(?:\{{(.*)\}})?", re.DOTALL)
_PAIR = re.compile(rf"({_TEXT}|{_NAME})=({_TEXT})")
_QUOTED = re.compile(rf"\s*({_TEXT})\s*(?:,|$)")

_SHOWN = 3  # series that are named where one was wanted


@dataclass(frozen=True)
class Chosen:
    """The value of what was chosen, and whether it counts (see ``Exposition.is_counter``)."""

    value: float
    counts: bool


def choose(seen: Exposition, expression: str) -> Chosen:
    """The one value that an expression means.

    Raises:
        ConfigurationError: It is none that can be read without a Prometheus, or means several
            series, whose labels are named.
        NotFound: No sample fits.
    """
    text = expression.strip()
    summed = _SUM.fullmatch(text)
    name, matchers = _parsed(summed["what"].strip() if summed else text, expression)
    fitting = {
        series: value for series, value in seen.samples.items() if _fits(series, name, matchers)
    }
    if not fitting:
        raise NotFound(f"no sample is {expression!r}.", hint="See what metrics_url answers.")
    if len(fitting) > 1 and not summed:
        shown = ", ".join(sorted(fitting)[:_SHOWN]) + (", …" if len(fitting) > _SHOWN else "")
        raise ConfigurationError(
            f"{expression!r} is {len(fitting)} series: {shown}.",
            hint=f"Name one of them, or add them up: sum({expression}).",
        )
    return Chosen(sum(fitting.values()), seen.is_counter(name))


def _parsed(text: str, expression: str) -> tuple[str, list[tuple[str, str, str]]]:
    found = _SELECTOR.fullmatch(text)
    inside = (found["inside"] or "") if found else ""
    name = (found["name"] or "") if found else ""
    if found and not name and (quoted := _QUOTED.match(inside)):  # {"any name", label="value"}
        name, inside = _unquoted(quoted[1]), inside[quoted.end() :]
    matchers, at = [], 0
    while found and inside[at:].strip():
        matcher = _MATCHER.match(inside, at)
        if matcher is None:
            found = None
            break
        matchers.append((matcher[1], matcher[2], _unquoted(matcher[3])))
        at = matcher.end()
    if not found or not name:
        raise ConfigurationError(
            f"{expression[:80]!r} cannot be read from a service's metrics.",
            hint='Write name, name{label="value"} or sum(…) of one; for more of PromQL set '
            "history_url to a Prometheus server.",
        )
    return name, matchers


def _fits(series: str, name: str, matchers: list[tuple[str, str, str]]) -> bool:
    found = _SERIES.fullmatch(series)
    if found is None:
        return False
    own, inside = found[1], found[2] or ""
    if own is None:
        quoted = _QUOTED.match(inside)
        own = _unquoted(quoted[1]) if quoted else ""
    if own != name:
        return False
    labels = {label.strip('"'): _unquoted(value) for label, value in _PAIR.findall(inside)}
    return all(_holds(labels.get(label, ""), how, value) for label, how, value in matchers)


def _holds(own: str, how: str, value: str) -> bool:
    if how in ("=", "!="):
        return (own == value) is (how == "=")
    try:
        return (re.fullmatch(value, own) is not None) is (how == "=~")
    except re.error as error:
        raise ConfigurationError(
            f"{value[:80]!r} is no regular expression: {error}.", hint="Correct the matcher."
        ) from None


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])
