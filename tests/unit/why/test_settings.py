"""What may follow ``why`` on the command line."""

import pytest

from fake_dra_driver.flags import UsageError, parse
from fake_dra_driver.why.settings import WhySettings
from fake_dra_driver.why.subject import Wanted, parse_subject


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["train"], Wanted(None, "train")),
        (["pod/train"], Wanted("Pod", "train")),
        (["po/train"], Wanted("Pod", "train")),
        (["Pod", "train"], Wanted("Pod", "train")),
        (["claim/gpu.x-1"], Wanted("ResourceClaim", "gpu.x-1")),
        (["resourceclaim", "gpu"], Wanted("ResourceClaim", "gpu")),
        (["resourceclaims.resource.k8s.io/gpu"], Wanted("ResourceClaim", "gpu")),
    ],
)
def test_a_subject_is_named_as_for_kubectl(arguments: list[str], wanted: Wanted) -> None:
    assert parse_subject(parse(WhySettings, [*arguments, "-n", "ml"]).subject) == wanted


@pytest.mark.parametrize("arguments", [[], ["node/worker"], ["pod/"], ["a", "b", "c"], ["Train"], ["pod/train\x1b"]])
def test_nothing_else_is_a_subject(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"Allowed: NAME, pod/NAME or claim/NAME"):
        parse(WhySettings, arguments)


def test_the_namespace_of_the_driver_is_another_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DRA_NAMESPACE", "fake-system")
    assert parse(WhySettings, ["train"]).namespace == ""
    monkeypatch.setenv("FAKE_DRA_SUBJECT_NAMESPACE", "ml")
    assert parse(WhySettings, ["train"]).namespace == "ml"
