"""The API with one more route, which answers 202 and does nothing else.

python -m benchmarks.intake_floor
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from blocks.prefect_api.env import use_embedded_prefect
from blocks.settings import get_settings
from deployments.api.http.lean import LeanRoute, answer

router = APIRouter(route_class=LeanRoute)


@router.post("/floor", status_code=202)
async def floor(request: Request) -> Response:
    """Accept whatever comes."""
    await request.body()
    return answer({"new": 1, "known": 0, "ids": ["x"]}, 202)


def main() -> None:
    """Serve as ``deployments.api.serving`` does."""
    use_embedded_prefect()
    from deployments.api.app import create_app
    from deployments.api.serving import run

    settings = get_settings()
    app = create_app(settings)
    app.router.routes.insert(0, router.routes[0])
    run(app, settings)


if __name__ == "__main__":
    main()
