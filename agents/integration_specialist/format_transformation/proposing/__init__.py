"""The mapping of each frame as it is proposed: the table that fits best, and what to leave out."""

from __future__ import annotations

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.looking.asking import Asking, InSample
from agents.integration_specialist.format_transformation.proposing.attributes import take_attributes
from agents.integration_specialist.format_transformation.proposing.drafting import (
    Draft,
    read_clock,
)
from agents.integration_specialist.format_transformation.proposing.goods import (
    ask_about_number,
    leave_out_services,
    take_lines_without_product,
    take_variants,
)
from agents.integration_specialist.format_transformation.proposing.matching import choose
from agents.integration_specialist.format_transformation.proposing.money import (
    choose_paid,
    read_minor_units,
    read_names,
    tell_currency,
    tell_discounts,
    tell_tax,
)
from agents.integration_specialist.format_transformation.proposing.parts import (
    count_parts_once,
    leave_out_wholes,
)
from agents.integration_specialist.format_transformation.proposing.refunds import take_off_refunds
from agents.integration_specialist.format_transformation.proposing.row_filters import (
    add_up_places,
    leave_out_deleted,
    leave_out_uncounted,
)
from agents.integration_specialist.format_transformation.proposing.states import (
    choose_open,
    choose_sold,
)

_STEPS = {
    "products": (ask_about_number, leave_out_deleted, read_names, read_minor_units, tell_currency),
    "stock": (leave_out_deleted, leave_out_uncounted, add_up_places, read_clock),
    "sale_lines": (
        leave_out_deleted,
        choose_sold,
        choose_paid,
        tell_tax,
        tell_discounts,
        read_minor_units,
        take_off_refunds,
        tell_currency,
        read_clock,
        take_variants,
        take_lines_without_product,
    ),
    "open_orders": (leave_out_deleted, read_names, read_clock, choose_open),
}


def propose(tables: dict[str, Table], asking: Asking | None = None) -> dict[str, Draft]:
    """The most likely mapping of each frame that has one.

    Args:
        tables: What there is; see ``looking.reading`` and ``looking.links``.
        asking: Answers small questions about values; by the sampled rows if None.
    """
    asking = asking or InSample()
    drafts = {}
    for frame, candidate in choose(tables, asking).items():
        draft = drafts[frame] = Draft(candidate, tables)
        for step in _STEPS[frame]:
            step(draft)
        draft.ask_about_links()
    if "products" in drafts:
        take_attributes(drafts["products"], asking)
        leave_out_services(drafts["products"], drafts.get("sale_lines"))
    wholes = count_parts_once(drafts["sale_lines"]) if "sale_lines" in drafts else []
    for frame in ("products", "stock"):
        if frame in drafts:
            leave_out_wholes(drafts[frame], wholes)
    return drafts
