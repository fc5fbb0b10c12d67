"""Why claims cannot be had: node by node, device by device, and which small change would help.

It decides nothing by itself: the allocator is asked, about what there is, and about what would be if something were
different.

- ``situation``: the claims, and an allocator to ask;
- ``diagnosis``: what stands in the way on a node (``finding``);
- ``reading``: with which values a selector was false;
- ``grouping``: nodes for which the answer is the same;
- ``changes``: what would help, each tried out (``change``).

It has no words for people.
"""

from fake_dra_driver.allocation.explanation.change import (
    Change,
    DeleteTaintRule,
    DropConstraint,
    DropSelector,
    FewerDevices,
    FreeClaims,
    GuardSelector,
    LeaveOut,
    LessCapacity,
    OtherClass,
    Tolerate,
    helps,
)
from fake_dra_driver.allocation.explanation.changes import changes_that_help
from fake_dra_driver.allocation.explanation.diagnosis import diagnose
from fake_dra_driver.allocation.explanation.finding import (
    BrokenConstraint,
    Candidate,
    Combination,
    Finding,
    Requested,
    RequestFinding,
)
from fake_dra_driver.allocation.explanation.grouping import error_likeness, group, likeness
from fake_dra_driver.allocation.explanation.reading import (
    FalsePart,
    false_part,
    names_of,
    names_read,
    value_text,
    values_read,
)
from fake_dra_driver.allocation.explanation.situation import Situation, requested_by

__all__ = [
    "BrokenConstraint",
    "Candidate",
    "Change",
    "Combination",
    "DeleteTaintRule",
    "DropConstraint",
    "DropSelector",
    "FalsePart",
    "FewerDevices",
    "Finding",
    "FreeClaims",
    "GuardSelector",
    "LeaveOut",
    "LessCapacity",
    "OtherClass",
    "RequestFinding",
    "Requested",
    "Situation",
    "Tolerate",
    "changes_that_help",
    "diagnose",
    "error_likeness",
    "false_part",
    "group",
    "helps",
    "likeness",
    "names_of",
    "names_read",
    "requested_by",
    "value_text",
    "values_read",
]
