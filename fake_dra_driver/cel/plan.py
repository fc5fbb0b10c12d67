"""Turns a checked expression into a function: what can be decided before there are values is decided here.

The function gets a frame: a list of what is told of the steps that are made, and then the values of all variables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from fake_dra_driver.cel.decision import decide
from fake_dra_driver.cel.dispatch import chooser
from fake_dra_driver.cel.environment import Environment
from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
from fake_dra_driver.cel.jsonvalue import converter
from fake_dra_driver.cel.loop import Range, folding, gathering, inserting, passes, quantifying
from fake_dra_driver.cel.macro import ACCUMULATOR, MAP_INSERT
from fake_dra_driver.cel.operators import MISSING, check_hashable, contains, equal, find, find_optional, index
from fake_dra_driver.cel.overload import FIXED, Overload
from fake_dra_driver.cel.syntaxtree import Call, Comprehension, Entry, Identifier, ListOf, Literal, MapOf, Node, Select
from fake_dra_driver.cel.value import Optional

__all__ = ["Plan"]

Frame = list[Any]
Evaluate = Callable[[Frame], Any]

_LIST_COST, _MAP_COST = 10, 30
_QUANTIFIER_COST, _GATHER_COST = 3, 12
"""Of an element of a loop, besides what its body costs."""
_MAX_COST_AT_ONCE = 1000
"""What a call of constants may cost that is made when the expression is compiled: ``lists.range(10000000)`` is not."""
_LOGIC: Mapping[str, bool] = {"_&&_": False, "_||_": True}
"""What decides."""


class _Failure:
    """An error that a name stands for, which counts only where the name is used."""

    def __init__(self, error: CelError) -> None:
        self.error = error


class Plan:
    """How an expression is evaluated."""

    def __init__(self, root: Node, environment: Environment, *, is_metered: bool) -> None:
        """``is_metered``: whether steps are counted."""
        self._environment = environment
        self._is_metered = is_metered
        self._slots = {name: at + 1 for at, name in enumerate(environment.variables)}
        self._lazy: set[int] = set()
        """The slots of names that may stand for errors."""
        self._locals = 0
        self._special: Mapping[str, Callable[[Call], Evaluate]] = {
            "_&&_": self._logic,
            "_||_": self._logic,
            "_?_:_": self._choice,
            "!_": self._not,
            "_==_": self._equality,
            "_!=_": self._equality,
            "@in": self._in,
            "_[_]": self._index,
            "_[?_]": self._optional_index,
            "_?._": self._optional_index,
            "or": self._or,
            "orValue": self._or,
        }
        """Calls that are more, or less, than a call of a function."""
        self._cost = 0
        """Of what is planned of the present block."""
        self._evaluate = self._block(root)
        self._room = [None] * self._locals

    def evaluate(self, values: Sequence[Any], spend: Callable[[int], None]) -> Any:
        """The result for the values of the environment's variables, in their order. Raises CelError."""
        return self._evaluate([spend, *values, *self._room])

    # --- what all need ---

    def _planned(self, node: Node) -> Evaluate:
        match node:
            case Literal():
                value = node.value
                return lambda _: value
            case Identifier():
                return self._identifier(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListOf():
                return self._list(node)
            case MapOf():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
            case _:
                raise TypeError(type(node))

    def _block(self, node: Node) -> Evaluate:
        """A part that may not be evaluated. What each block costs in any case is counted once, when it begins."""
        evaluate, cost = self._uncounted(node)
        if not cost:
            return evaluate

        def counted(frame: Frame) -> Any:
            frame[0](cost)
            return evaluate(frame)

        return counted

    def _uncounted(self, node: Node) -> tuple[Evaluate, int]:
        """A block, and what it costs in any case."""
        before, self._cost = self._cost, 0
        evaluate = self._planned(node)
        cost, self._cost = self._cost, before
        return evaluate, cost if self._is_metered else 0

    def _counted(self, evaluate: Evaluate, cost: int = 1) -> Evaluate:
        """The same, whose cost becomes that of its block."""
        self._cost += cost
        return evaluate

    def _read(self, evaluate: Evaluate, node: Node) -> Evaluate:
        """A value as the type of the part has it, where it may come from JSON."""
        convert = converter(node.type) if self._environment.reads_json else None
        return evaluate if convert is None else lambda frame: convert(evaluate(frame))

    @contextmanager
    def _local(self, *names: str | None) -> Iterator[list[int]]:
        """Room for local variables."""
        before = self._slots
        slots = []
        for name in names:
            self._locals += 1
            slots.append(len(self._environment.variables) + self._locals)
            if name is not None:
                self._slots = {**self._slots, name: slots[-1]}
        yield slots
        self._slots = before

    # --- names and fields ---

    def _identifier(self, node: Identifier) -> Evaluate:
        name = node.name.removeprefix(".")
        slot = self._slots.get(name)
        if slot is None:
            type_ = self._environment.library.types[name]
            return lambda _: type_
        if slot not in self._lazy:
            return self._counted(self._read(itemgetter(slot), node))

        def evaluate(frame: Frame) -> Any:
            value = frame[slot]
            if isinstance(value, _Failure):
                raise value.error
            return value

        return self._counted(evaluate)

    def _select(self, node: Select) -> Evaluate:
        return self._presence(node) if node.is_test else self._nested(node)

    def _nested(self, node: Node) -> Evaluate:
        """Fields in each other, as far as nothing between them is looked at by itself."""
        keys: list[str] = []
        inner = node
        while (step := self._step(inner)) is not None and (inner is node or not self._converts(inner)):
            inner, key = step
            keys.insert(0, key)
        return self._counted(self._read(_path(self._planned(inner), keys), node), len(keys))

    def _step(self, node: Node) -> tuple[Node, str] | None:
        """What a field, or an index that is a constant text, is taken of, and its key."""
        match node:
            case Select(is_test=False):
                return node.operand, self._key(node.field)
            case Call(function="_[_]", arguments=[value, Literal(value=str() as key)]):
                return value, key
        return None

    def _key(self, field: str) -> str:
        rename = self._environment.field_name
        return field if rename is None else rename(field)

    def _converts(self, node: Node) -> bool:
        return self._environment.reads_json and converter(node.type) is not None

    def _presence(self, node: Select) -> Evaluate:
        operand = self._planned(node.operand)
        field = self._key(node.field)

        def evaluate(frame: Frame) -> bool:
            return find_optional(operand(frame), field).has_value

        return evaluate

    # --- operators and calls ---

    def _call(self, node: Call) -> Evaluate:
        special = self._special.get(node.function)
        if special is not None and (node.target is None) is not (node.function in ("or", "orValue")):
            return special(node)
        arguments = [self._planned(each) for each in node.operands]
        chosen = chooser(node.function, node.overloads, [each.type for each in node.operands])
        if isinstance(chosen, Overload) and not chosen.counts_steps:
            constants = [each.value for each in node.operands if isinstance(each, Literal)]
            if len(constants) == len(arguments) and (cost := chosen.cost.actual(*constants)) <= _MAX_COST_AT_ONCE:
                return self._counted(_worked_out(chosen, constants), cost)
        if isinstance(chosen, Overload) and (not self._is_metered or chosen.cost is FIXED):
            return self._counted(_direct(chosen, arguments))

        def evaluate(frame: Frame) -> Any:
            values = [argument(frame) for argument in arguments]
            overload = chosen if isinstance(chosen, Overload) else chosen(values)
            spend = frame[0]
            spend(overload.cost.actual(*values))
            return overload.call(spend, *values) if overload.counts_steps else overload.call(*values)

        return evaluate

    def _logic(self, node: Call) -> Evaluate:
        sides = [self._block(each) for each in _flattened(node)]
        decides = _LOGIC[node.function]
        return lambda frame: decide(sides, frame, decides=decides)

    def _choice(self, node: Call) -> Evaluate:
        condition = self._planned(node.arguments[0])
        yes, no = (self._block(each) for each in node.arguments[1:])
        return lambda frame: yes(frame) if passes(condition(frame)) else no(frame)

    def _not(self, node: Call) -> Evaluate:
        inner = self._planned(node.arguments[0])
        return self._counted(lambda frame: not passes(inner(frame)))

    def _equality(self, node: Call) -> Evaluate:
        is_equal = node.function == "_==_"
        left, right = node.arguments
        if isinstance(right, Literal) and isinstance(right.value, str):
            return self._counted(_equal_to_text(self._planned(left), right.value, is_equal=is_equal))
        one, other = self._planned(left), self._planned(right)
        if is_equal:
            return lambda frame: equal(one(frame), other(frame), frame[0])
        return lambda frame: _differ(one(frame), other(frame), frame[0])

    def _in(self, node: Call) -> Evaluate:
        item, container = (self._planned(each) for each in node.arguments)
        constants = _constants(node.arguments[1])
        if constants is None:
            return lambda frame: contains(item(frame), container(frame), frame[0])
        texts = frozenset(each for each in constants if isinstance(each, str))

        def evaluate(frame: Frame) -> bool:
            value = item(frame)
            if type(value) is str:
                return value in texts
            check_hashable(value)
            return contains(value, constants, frame[0])

        return self._counted(evaluate, len(constants))

    def _index(self, node: Call) -> Evaluate:
        if self._step(node) is not None:
            return self._nested(node)
        value, key = (self._planned(each) for each in node.arguments)
        return self._counted(self._read(lambda frame: index(value(frame), key(frame)), node))

    def _optional_index(self, node: Call) -> Evaluate:
        target, at = node.arguments
        value, key = self._planned(target), self._planned(at)
        if node.function == "_?._" and isinstance(at, Literal):
            name = self._key(at.value)
            return self._counted(lambda frame: find_optional(value(frame), name))
        return self._counted(lambda frame: find_optional(value(frame), key(frame)))

    def _or(self, node: Call) -> Evaluate:
        """``a.or(b)`` and ``a.orValue(b)``: b is evaluated only if there is no a."""
        first, second = self._planned(node.operands[0]), self._block(node.operands[1])
        gives_value = node.function == "orValue"

        def evaluate(frame: Frame) -> Any:
            found = first(frame)
            if not isinstance(found, Optional):
                raise CelError(NO_OVERLOAD)
            if not found.has_value:
                return second(frame)
            return found.value if gives_value else found

        return self._counted(evaluate)

    # --- lists and maps ---

    def _list(self, node: ListOf) -> Evaluate:
        items = [self._planned(each) for each in node.elements]
        if not node.optional:
            return self._counted(lambda frame: [item(frame) for item in items], _LIST_COST + len(items))
        optional = node.optional

        def evaluate(frame: Frame) -> list[Any]:
            result = []
            for at, item in enumerate(items):
                value = item(frame)
                if at in optional:
                    value = _optional(value, f"list element from non-optional value {value}")
                    if not value.has_value:
                        continue
                    value = value.value
                result.append(value)
            return result

        return self._counted(evaluate, _LIST_COST + len(items))

    def _map(self, node: MapOf) -> Evaluate:
        entries = [(self._planned(each.key), self._planned(each.value), each.is_optional) for each in node.entries]

        def evaluate(frame: Frame) -> dict[Any, Any]:
            result: dict[Any, Any] = {}
            for key, value, is_optional in entries:
                name, found = key(frame), value(frame)
                if not isinstance(name, bool | int | str):
                    check_hashable(name)
                    raise CelError("unsupported key type")
                if is_optional:
                    found = _optional(found, f"entry '{name}' from non-optional value {found}")
                    if not found.has_value:
                        continue
                    found = found.value
                if find(result, name) is not MISSING:
                    raise CelError(f"Failed with repeated key: {name}")
                result[name] = found
            return result

        return self._counted(evaluate, _MAP_COST + len(entries))

    # --- loops ---

    def _comprehension(self, node: Comprehension) -> Evaluate:
        if node.is_binding:
            return self._binding(node)
        values = self._planned(node.range)
        initial = self._planned(node.initial)
        with self._local(node.accumulator, node.first, node.second) as (accumulator, first, last):
            step = node.step
            second = None if node.second is None else last
            match step:
                case Call(function="_&&_" | "_||_", arguments=[Identifier(name=name), element]) if name == ACCUMULATOR:
                    body, cost = self._uncounted(element)
                    over = Range(values, first, second, _QUANTIFIER_COST + cost)
                    return quantifying(over, body, decides=_LOGIC[step.function])
            test: Evaluate | None = None
            if isinstance(step, Call) and step.function == "_?_:_" and not isinstance(node.initial, Literal):
                test, step = self._block(step.arguments[0]), step.arguments[1]
            over = Range(values, first, second, _GATHER_COST)
            match step:
                case Call(function="_+_", arguments=[Identifier(name=name), ListOf(elements=[item])]) if (
                    name == ACCUMULATOR
                ):
                    return gathering(over, test, self._block(item))
                case Call(function=function, arguments=[_, *entry]) if function == MAP_INSERT:
                    made = entry[0] if len(entry) == 1 else MapOf(step.at, [Entry(*entry, is_optional=False)])
                    return inserting(over, test, self._block(made))
            return folding(over, accumulator, initial, self._block(step), self._planned(node.result))

    def _binding(self, node: Comprehension) -> Evaluate:
        initial = self._planned(node.initial)
        with self._local(node.accumulator) as (slot,):
            self._lazy.add(slot)
            result = self._planned(node.result)

        def evaluate(frame: Frame) -> Any:
            try:
                frame[slot] = initial(frame)
            except CelError as error:
                frame[slot] = _Failure(error)
            return result(frame)

        return self._counted(evaluate, _LIST_COST)


def _path(base: Evaluate, keys: Sequence[str]) -> Evaluate:
    """A value inside another: the usual way at full speed, and otherwise step by step, which finds what is wrong."""

    def walked(frame: Frame) -> Any:
        value = base(frame)
        for key in keys:
            value = index(value, key)
        return value

    match keys:
        case [first]:

            def one(frame: Frame) -> Any:
                try:
                    return base(frame)[first]
                except (KeyError, TypeError):
                    return walked(frame)

            return one
        case [first, second]:

            def two(frame: Frame) -> Any:
                try:
                    return base(frame)[first][second]
                except (KeyError, TypeError):
                    return walked(frame)

            return two
        case [first, second, third]:

            def three(frame: Frame) -> Any:
                try:
                    return base(frame)[first][second][third]
                except (KeyError, TypeError):
                    return walked(frame)

            return three
    return walked


def _equal_to_text(operand: Evaluate, text: str, *, is_equal: bool) -> Evaluate:
    def evaluate(frame: Frame) -> bool:
        value = operand(frame)
        if type(value) is str:
            return (value == text) is is_equal
        return equal(value, text, frame[0]) if is_equal else _differ(value, text, frame[0])

    return evaluate


def _differ(one: Any, other: Any, spend: Callable[[int], None]) -> bool:
    """Values that cannot be compared are different."""
    try:
        return not equal(one, other, spend)
    except CelError:
        return True


def _constants(node: Node) -> list[Any] | None:
    """The items of a list of constants."""
    if isinstance(node, ListOf) and node.elements and all(isinstance(each, Literal) for each in node.elements):
        return [each.value for each in node.elements if isinstance(each, Literal)]
    return None


def _worked_out(overload: Overload, constants: Sequence[Any]) -> Evaluate:
    """The result of a call that is always the same, such as ``quantity("1Gi")``."""
    try:
        value = overload.call(*constants)
    except CelError as error:
        failure = str(error)

        def fail(_: Frame) -> Any:
            raise CelError(failure)

        return fail
    return lambda _: value


def _direct(overload: Overload, arguments: Sequence[Evaluate]) -> Evaluate:
    """The call of a known overload, without counting."""
    call = overload.call
    if overload.counts_steps:
        return lambda frame: call(frame[0], *[argument(frame) for argument in arguments])
    match arguments:
        case [one]:
            return lambda frame: call(one(frame))
        case [one, other]:
            return lambda frame: call(one(frame), other(frame))
    return lambda frame: call(*[argument(frame) for argument in arguments])


def _flattened(node: Node, function: str | None = None) -> list[Node]:
    """The sides of a chain of ``&&`` or ``||``, however it is nested."""
    if isinstance(node, Call) and node.function in _LOGIC and function in (None, node.function):
        return [side for each in node.arguments for side in _flattened(each, node.function)]
    return [node]


def _optional(value: Any, what: str) -> Optional:
    if not isinstance(value, Optional):
        raise CelError(f"cannot initialize optional {what}")
    return value
