"""How we say who we are, in the headers of a request."""

from __future__ import annotations

import base64
from typing import Literal

import httpx
from pydantic import SecretStr

Auth = Literal["none", "api-key", "bearer", "basic"]


def auth_headers(
    auth: Auth, credential: SecretStr | None, *, username: str = "", api_key_header: str = ""
) -> dict[str, str]:
    """The headers that authenticate a request.

    Args:
        auth: The way that the other side wants.
        credential: API key, bearer token or password.
        username: For basic authentication.
        api_key_header: Carries the API key.
    """
    secret = credential.get_secret_value() if credential else ""
    match auth:
        case "api-key":
            return {api_key_header: secret}
        case "bearer":
            return {"Authorization": f"Bearer {secret}"}
        case "basic":
            # As the environment gave it: bytes that are no UTF-8 come as lone surrogates.
            pair = f"{username}:{secret}".encode(errors="surrogateescape")
            return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}
    return {}


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: who may be told what was meant for whom; empty where it is no URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "", "", None
    return parsed.scheme, parsed.host, parsed.port
