"""Text that rich prints as it is."""

from rich.markup import escape as escape_markup

from blocks.text import printable


def escape(text: str) -> str:
    """Text that is neither markup nor a control sequence."""
    return escape_markup(printable(text))
