"""What ends an attempt of the scheduler for all nodes, in words."""

from fake_dra_driver.allocation import AllocationError, SearchTooLongError, SelectorFailedError
from fake_dra_driver.untrustedtext import one_line, short_name
from fake_dra_driver.why.report import Problem, ProblemReason
from fake_dra_driver.why.words import origin_text, quoted

__all__ = ["error_problem"]


def error_problem(error: AllocationError) -> Problem:
    """What an error of a search means for the pod."""
    match error:
        case SelectorFailedError():
            found = error.found
            origin = origin_text(found.origin)
            if found.problem == "compile":
                message = f"{origin} is not valid CEL: {one_line(found.message)} ({quoted(found.origin.expression)})"
                return Problem(reason="SelectorInvalid", message=message, request=found.origin.request)
            device = found.device
            return Problem(
                reason="SelectorFailed",
                message=f"{origin} cannot be evaluated for device {short_name(device.device)} of pool "
                f"{short_name(device.pool)} (driver {short_name(device.driver)}): {one_line(found.message)}; the "
                f"scheduler then gives up for all nodes ({quoted(found.origin.expression)})",
                request=found.origin.request,
            )
        case SearchTooLongError():
            return Problem(
                reason="SearchTooLong",
                message=f"there are so many combinations of devices on node {error.node} that not all were tried here "
                "(a scheduler gives up after 10 seconds): ask for fewer devices, or with fewer constraints",
            )
    reason: ProblemReason = "TooManyDevices" if "exceeds the claim limit" in str(error) else "AllocationFailed"
    return Problem(reason=reason, message=f"the scheduler gives up for all nodes: {one_line(str(error))}")
