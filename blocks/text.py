"""Text from databases, partners and logs, made harmless to show."""


def printable(text: str) -> str:
    """Text without control characters: a name from a database must not steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
