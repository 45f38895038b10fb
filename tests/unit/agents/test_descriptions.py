import json
import math
from datetime import UTC, datetime

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from agents.descriptions import LARGEST, describe
from blocks.vocabulary.frames import Snapshot


class Settings(BaseModel):
    user: str
    password: SecretStr


def test_a_snapshot_is_described_by_its_frames_sizes():
    frame = pd.DataFrame({"sku": ["a", "b"]})
    snapshot = Snapshot(datetime(2026, 1, 1, tzinfo=UTC), {"products": frame})
    assert describe(snapshot)["rows"] == {"products": 2}


def test_secrets_stay_secret():
    said = json.dumps(describe(Settings(user="u", password=SecretStr("canary"))))
    assert "canary" not in said


def test_what_json_cannot_hold_becomes_text():
    assert describe({"a": math.nan, "b": math.inf}) == {"a": "nan", "b": "inf"}


def test_a_large_value_is_outlined():
    said = describe({"rows": [{"n": i} for i in range(5_000)], "name": "x"})
    assert said == {"rows": {"items": 5_000, "first": {"n": 0}}, "name": "x"}


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=50,
)


@given(JSONISH)
def test_everything_is_describable_as_strict_json(value):
    assert len(json.dumps(describe(value), allow_nan=False)) <= LARGEST * 2
