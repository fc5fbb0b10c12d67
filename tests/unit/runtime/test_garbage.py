"""The collector leaves alone what lives long, and still finds what comes later. In processes of their own."""

import subprocess
import sys

SPARE = "import gc, weakref; from fake_dra_driver.runtime.garbage import spare_long_lived\n"
CYCLE = "class Node: pass\ndef cycle():\n node = Node(); node.itself = node; return weakref.ref(node)\n"


def said(program: str) -> str:
    ran = subprocess.run([sys.executable, "-c", SPARE + program], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_what_is_alive_is_not_looked_at_again() -> None:
    program = "before = len(gc.get_objects())\nspare_long_lived()\nprint(len(gc.get_objects()) < before / 100)"
    assert said(program) == "True"


def test_what_is_spared_goes_when_nothing_refers_to_it() -> None:
    program = "class Node: pass\nnode = Node(); seen = weakref.ref(node)\nspare_long_lived()\ndel node\nprint(seen())"
    assert said(program) == "None"


def test_cycles_that_come_later_are_found_without_being_asked_for() -> None:
    program = "spare_long_lived()\nseen = cycle()\nkept = [[] for _ in range(20_000)]\nprint(seen())"
    assert said(CYCLE + program) == "None"


def test_many_objects_are_read_without_a_look_at_all_of_them() -> None:
    """As many as a list of 500 claims leaves."""
    program = (
        "spare_long_lived()\n"
        "before = [generation['collections'] for generation in gc.get_stats()]\n"
        "kept = [[] for _ in range(25_000)]\n"
        "after = [generation['collections'] for generation in gc.get_stats()]\n"
        "print(*(now - then for now, then in zip(after, before)))"
    )
    youngest, *older = map(int, said(program).split())
    assert youngest <= 3
    assert older == [0, 0]


def test_a_program_that_shares_its_process_spares_nothing_of_the_others() -> None:
    program = (
        "from fake_dra_driver.hosting.process import shared_process\n"
        "gc.disable(); seen = cycle()\n"
        "shared_process.set(object()); spare_long_lived()\n"
        "gc.collect(); print(seen(), gc.get_freeze_count())"
    )
    assert said(CYCLE + program) == "None 0"
