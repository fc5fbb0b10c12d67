"""Duplicate fields in JSON: each is named once, and naming them takes no time to speak of, however long keys are."""

import json

import pytest

from fake_dra_driver.cluster.apiserver.types.jsonbody import read_json


@pytest.mark.parametrize("key", ["k" * 400_000, "\x01" * 100_000], ids=["long", "long, with signs to escape"])
def test_long_key_above_many_equal_duplicates(key: str) -> None:
    members = ",".join(['"a":0'] * 50_000)
    _, duplicates = read_json(f"{{{json.dumps(key)}:{{{members}}}}}".encode())
    assert len(duplicates) == 1
    assert len(duplicates[0]) < 5_000


def test_long_key_above_many_different_duplicates() -> None:
    members = ",".join(f'"a{number}":0,"a{number}":0' for number in range(10_000))
    _, duplicates = read_json(f'{{"{"k" * 1_000_000}":{{{members}}}}}'.encode())
    assert len(duplicates) == 100
    assert sum(map(len, duplicates)) < 200_000


def test_paths_of_duplicates() -> None:
    body = b'{"a":[{"b":1,"b":2},{"b":1,"c.d":{"\\ud800":1,"\\ud800":2}}],"a.b":1,"a.b":2,"":{"x":1,"x":1}}'
    assert read_json(body)[1] == [
        'duplicate field "a[0].b"',
        'duplicate field "a[1].c.d.\ufffd"',
        'duplicate field "a.b"',
        'duplicate field ".x"',
    ]
