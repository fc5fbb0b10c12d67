"""The admission webhook's answers over HTTP, counted and logged."""

import json
from typing import Final

from loguru import logger

from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.structured.admission import ClaimReviewer, Outcome, ReviewError
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.httpsserver import HttpAnswer
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["MAX_REVIEW_BYTES", "REVIEW_PATH", "ClaimWebhook"]

REVIEW_PATH: Final = "/validate-resource-claim-parameters"
"""The name that DRA drivers give it."""
MAX_REVIEW_BYTES: Final = 7 * 1024 * 1024
"""An API server takes objects of up to 3 MiB, and posts the old one with the new one."""

_OUTCOMES: Final[tuple[Outcome, ...]] = ("allowed", "refused", "ignored", "invalid")

log = logger.bind(component="webhook")


class ClaimWebhook:
    """Answers reviews of claims and of their templates.

    Args:
        check: finds what is wrong with the driver's configuration in them.
    """

    def __init__(self, check: ConfigCheck, metrics: Metrics, clock: Clock = loop_time) -> None:
        self._reviewer = ClaimReviewer(check)
        durations = metrics.histogram(families.REVIEW_DURATION)
        self._durations = {outcome: durations.labels(outcome) for outcome in _OUTCOMES}
        self._clock = clock

    def answer(self, body: bytes) -> HttpAnswer:
        """What to answer to a POST: 200 with the verdict, or 400 with a sentence where there is nothing to review."""
        begun = self._clock()
        outcome: Outcome = "invalid"
        try:
            verdict = self._reviewer.review(body)
            outcome = verdict.outcome
        except ReviewError as error:
            log.warning("No review", error=str(error), bytes=len(body))
            return HttpAnswer(400, f"{error}\n".encode(), "text/plain")
        finally:
            self._durations[outcome].observe(self._clock() - begun)
        if verdict.problems:
            log.info("Refused", object=verdict.about, problems=[str(problem) for problem in verdict.problems])
        else:
            log.debug("Reviewed", object=verdict.about, outcome=outcome)
        return HttpAnswer(200, json.dumps(verdict.answer).encode())
