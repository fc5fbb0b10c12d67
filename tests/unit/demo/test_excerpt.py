"""What is left of a long output in the demo, and that nothing is left out without a mark."""

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.demo.excerpt import first_lines, spec_excerpt, status_excerpt

DESCRIBED = """\
Name:         node
Spec:
  Allocatable Device:
    Fake:
      Name:  MODEL
      Uuid:  FAKE-1
    Fake:
      Name:  MODEL
      Uuid:  FAKE-2
    Fake:
      Name:  MODEL
      Uuid:  FAKE-3
  Allocated Claims:
    claim:
      Fake:
        Devices:
          Uuid:  FAKE-1
  Prepared Devices:
    claim:
      Fake:
        Devices:
          Uuid:  FAKE-1
          Uuid:  FAKE-2
          Uuid:  FAKE-3
          Uuid:  FAKE-4
Status:  Ready
Events:  <none>
"""


def test_members_are_shown_whole_where_that_is_possible() -> None:
    excerpt = spec_excerpt(DESCRIBED, {"Allocatable Device", "Prepared Devices"}, 5)
    assert excerpt == (
        "(...)\n"
        "Spec:\n"
        "  Allocatable Device:\n"
        "    Fake:\n"
        "      Name:  MODEL\n"
        "      Uuid:  FAKE-1\n"
        "    (... 6 more lines)\n"
        "  Allocated Claims:\n"
        "    (...)\n"
        "  Prepared Devices:\n"
        "    claim:\n"
        "      Fake:\n"
        "        Devices:\n"
        "          Uuid:  FAKE-1\n"
        "          Uuid:  FAKE-2\n"
        "    (... 2 more lines)\n"
        "(...)"
    )


def test_headings_alone() -> None:
    spec, _, _ = DESCRIBED.partition("  Allocated Claims:")
    assert spec_excerpt(f"{spec}Status:  Ready\n", (), 5) == ("(...)\nSpec:\n  Allocatable Device:\n    (...)\n(...)")


@given(lines=st.lists(st.sampled_from(["a", "  b", "    c"]), min_size=1), most=st.integers(1, 9))
def test_all_lines_are_shown_or_counted(lines: list[str], most: int) -> None:
    shown = first_lines(lines, most)
    if shown != lines:
        *kept, last = shown
        assert kept == lines[: len(kept)]
        assert last.strip() == f"(... {len(lines) - len(kept)} more lines)"
        assert len(kept) <= most
        assert len(lines) - len(kept) > 1, "one line takes no more room than the mark for it"


def test_of_an_object_in_yaml_the_status_is_shown() -> None:
    printed = "kind: Claim\nspec:\n  a: 1\nstatus:\n  devices:\n  - a\n  - b\n"
    assert status_excerpt(printed, 3).splitlines() == ["(...)", "status:", "  devices:", "  - a", "(...)"]
