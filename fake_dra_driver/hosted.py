"""``python -m fake_dra_driver.hosted``: many kubelet plugins in one process, for the embedded cluster.

Not a command of the program, since it is of no use to a person: its standard input is a socket (``hosting.protocol``).
"""

from fake_dra_driver.cli import COMMAND_LINE
from fake_dra_driver.dra.program.instances import run_instances

if __name__ == "__main__":
    run_instances(COMMAND_LINE)
