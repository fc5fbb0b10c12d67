"""Texts come back from YAML as texts, whoever reads them."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.cluster.apiserver.http.yamlbody import read_yaml
from fake_dra_driver.yamldumper import dump_yaml

NUMBER_LIKE = st.text("0123456789abcdefxXoOeEyYnN+-._: ", max_size=8)


@given(st.dictionaries(NUMBER_LIKE | st.text("yYnNoOfF~"), NUMBER_LIKE | st.text(max_size=8), max_size=3))
def test_go_and_the_library_read_what_was_written(texts: dict[str, str]) -> None:
    text = dump_yaml(texts)
    assert read_yaml(text.encode()) == (texts, [])
    assert yaml.safe_load(text) == texts


@pytest.mark.parametrize("text", ["8e10", "123e45", "1_0e3", "+.5", "1.", "0o17", "0O7", "0_x1", "y", "N", "089"])
def test_what_go_takes_for_something_else_is_quoted(text: str) -> None:
    assert dump_yaml([text]) == f"- '{text}'\n"


@pytest.mark.parametrize("text", ["10.0.0.1", "1.37", "v1", "2-3", "yes-man", "Y2", "1e", "e3", "-", "https://x:1"])
def test_other_texts_are_as_the_library_writes_them(text: str) -> None:
    assert dump_yaml([text]) == yaml.safe_dump([text])
