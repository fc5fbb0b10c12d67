"""The random numbers of Go's ``math/rand`` for a seed, bit for bit: the Go driver's UUIDs come from them.

The generator is an additive lagged Fibonacci one: each number is the sum, modulo 2**64, of the numbers 607 and 273
places before it. Go starts its register of 607 numbers from a fixed table, mixed with a small generator that the seed
starts (``x -> 48271 * x mod 2**31 - 1``). The table is what the register holds after 7.8e12 steps from a start of the
same kind with seed 1, and is computed here instead of being copied: a step is a multiplication by ``x`` in the ring of
polynomials over Z/2**64 modulo ``x**607 - x**334 - 1``, so 7.8e12 steps are one power of ``x``, found by repeated
squaring. A polynomial is held in one large integer, a slot for each coefficient, wide enough for no sum to spill over.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

__all__ = ["hash31", "int63s", "random_bytes"]

_LENGTH: Final = 607
_LAG: Final = 273
_STEPS: Final = 7_800_000_000_000
"""How many steps Go's authors let the register run before they printed it."""
_WORD: Final = 2**64 - 1
_MODULUS: Final = 2**31 - 1
_ZERO_SEED: Final = 89482311
"""What a seed of 0 modulo ``_MODULUS`` stands for; the small generator would be stuck at 0."""
_WARM_UP: Final = 20
_SLOT: Final = 144
"""Bits for a coefficient of a product: 128 for two words, 10 for the sum of 607, and the rest for the reduction."""


def hash31(text: str) -> int:
    """The seed for a text: ``h = 31 * h + code point`` over its characters, as a signed 64-bit number."""
    found = 0
    for character in text:
        found = (31 * found + ord(character)) & _WORD
    return found - 2**64 if found >= 2**63 else found


def int63s(seed: int) -> Iterator[int]:
    """What ``rand.New(rand.NewSource(seed)).Int63()`` returns, call after call. ``seed`` is a signed 64-bit number."""
    register = [mixed ^ fixed for mixed, fixed in zip(_start(seed, 20), _table(), strict=True)]
    for value in _run(register):
        yield value & (2**63 - 1)


def random_bytes(seed: int) -> Iterator[int]:
    """What ``Read`` of a fresh generator yields, byte after byte: seven bytes of each number, the lowest first."""
    for value in int63s(seed):
        yield from value.to_bytes(8, "little")[:7]


def _start(seed: int, shift: int) -> list[int]:
    """A register filled by the small generator: three of its numbers for each place, ``shift`` bits apart."""
    x = seed % _MODULUS or _ZERO_SEED
    for _ in range(_WARM_UP):
        x = 48271 * x % _MODULUS
    register = []
    for _ in range(_LENGTH):
        high = x = 48271 * x % _MODULUS
        middle = x = 48271 * x % _MODULUS
        x = 48271 * x % _MODULUS
        register.append((high << 2 * shift ^ middle << shift ^ x) & _WORD)
    return register


def _run(register: list[int]) -> Iterator[int]:
    """Steps the register in place, downwards from its feed, and yields each new number (64 bits)."""
    tap, feed = 0, _LENGTH - _LAG
    while True:
        tap, feed = (tap or _LENGTH) - 1, (feed or _LENGTH) - 1
        register[feed] = value = (register[feed] + register[tap]) & _WORD
        yield value


@cache
def _table() -> tuple[int, ...]:
    """The register after ``_STEPS`` steps from seed 1. Takes a fifth of a second, once in a process."""
    # The numbers in the order in which they are made: the register itself, oldest first, then as many new ones again.
    register = _start(1, 10)
    feed = _LENGTH - _LAG
    numbers = [register[(feed - 1 - place) % _LENGTH] for place in range(_LENGTH)]
    steps = _run(register)
    numbers += [next(steps) for _ in range(_LENGTH)]
    power = _power_of_x(_STEPS)
    after = [sum(c * n for c, n in zip(power, numbers[i:], strict=False)) & _WORD for i in range(_LENGTH)]
    # Number i of these was made in step _STEPS - 607 + i, which tells its place in the register.
    table = [0] * _LENGTH
    for i, number in enumerate(after):
        table[(feed - 1 - (_STEPS - _LENGTH + i)) % _LENGTH] = number
    return tuple(table)


def _power_of_x(exponent: int) -> list[int]:
    """The coefficients of ``x**exponent`` modulo ``x**607 - x**334 - 1``, lowest first, each modulo 2**64."""
    power = [1] + [0] * (_LENGTH - 1)
    for bit in f"{exponent:b}":
        packed = int.from_bytes(b"".join(c.to_bytes(_SLOT // 8, "little") for c in power), "little")
        square = (packed * packed).to_bytes(2 * _LENGTH * _SLOT // 8, "little")
        product = [int.from_bytes(square[i : i + _SLOT // 8], "little") for i in range(0, len(square), _SLOT // 8)]
        if bit == "1":
            product.insert(0, 0)
        for degree in range(len(product) - 1, _LENGTH - 1, -1):
            product[degree - _LENGTH] += product[degree]
            product[degree - _LAG] += product[degree]
        power = [c & _WORD for c in product[:_LENGTH]]
    return power
