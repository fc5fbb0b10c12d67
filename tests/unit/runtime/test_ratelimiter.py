import pytest

from fake_dra_driver.runtime.ratelimiter import (
    ExponentialRateLimiter,
    MaxOfRateLimiter,
    TokenBucket,
    TokenBucketRateLimiter,
    default_rate_limiter,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_exponential_doubles_for_each_failure_of_a_key_up_to_the_longest() -> None:
    limiter: ExponentialRateLimiter[str] = ExponentialRateLimiter(0.005, 1000)
    waits = [limiter.when("a") for _ in range(20)]
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[17] == pytest.approx(655.36)
    assert waits[18:] == [1000, 1000]
    assert limiter.when("b") == 0.005, "keys do not share their failures"
    assert limiter.num_requeues("a") == 20
    assert limiter.num_requeues("never seen") == 0


def test_exponential_never_overflows() -> None:
    limiter: ExponentialRateLimiter[str] = ExponentialRateLimiter()
    assert [limiter.when("a") for _ in range(5000)][-1] == 1000


def test_exponential_forgets() -> None:
    limiter: ExponentialRateLimiter[str] = ExponentialRateLimiter()
    limiter.when("a")
    limiter.when("a")
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0
    assert limiter.when("a") == 0.005
    limiter.forget("never seen")


def test_exponential_with_a_longest_that_is_no_power_of_two() -> None:
    limiter: ExponentialRateLimiter[str] = ExponentialRateLimiter(1, 5)
    assert [limiter.when("a") for _ in range(5)] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(("base", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_exponential_refuses_bounds_that_make_no_sense(base: float, longest: float) -> None:
    with pytest.raises(ValueError, match="base_seconds"):
        ExponentialRateLimiter(base, longest)


def test_bucket_gives_a_burst_at_once_and_then_promises_later_turns() -> None:
    clock = Clock()
    limiter: TokenBucketRateLimiter[str] = TokenBucketRateLimiter(10, 3, clock=clock)
    assert [limiter.when(key) for key in "abcde"] == [0, 0, 0, pytest.approx(0.1), pytest.approx(0.2)]
    clock.now += 0.3
    assert limiter.when("f") == pytest.approx(0), "the two promised turns and this one have come due"
    clock.now += 1000
    assert [limiter.when("g") for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)], "never more than the burst is saved"


def test_bucket_does_not_know_keys_apart() -> None:
    limiter: TokenBucketRateLimiter[str] = TokenBucketRateLimiter(1, 1, clock=Clock())
    limiter.when("a")
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0
    assert limiter.when("b") == 1


def test_try_take_leaves_the_bucket_alone_when_it_is_empty() -> None:
    bucket = TokenBucket(0.5, 1)
    assert bucket.try_take(0)
    assert not bucket.try_take(1)
    assert bucket.try_take(2), "asking in vain costs nothing"


def test_a_clock_that_goes_back_takes_no_turns_away() -> None:
    bucket = TokenBucket(1, 2)
    assert bucket.try_take(1000)
    assert bucket.reserve(0) == 0
    assert bucket.reserve(0) == 1


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_bucket_refuses_bounds_that_make_no_sense(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        TokenBucket(per_second, burst)


def test_the_default_is_the_longer_of_both() -> None:
    limiter: MaxOfRateLimiter[str] = default_rate_limiter(clock=Clock())
    assert [limiter.when(f"key-{number}") for number in range(100)] == [0.005] * 100
    assert limiter.when("one more") == pytest.approx(0.1), "the burst of 100 is used up"
    assert [limiter.when("key-0") for _ in range(12)][-1] == pytest.approx(0.005 * 2**12), "its own backoff is longer"
    assert limiter.num_requeues("key-0") == 13
    limiter.forget("key-0")
    assert limiter.num_requeues("key-0") == 0


def test_max_of_needs_a_limiter() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MaxOfRateLimiter()
