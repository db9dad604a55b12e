"""Commands that load late: there in the list, not in memory."""

import subprocess
import sys

from tachograph.cli.lazy import LazyGroup


def test_listing_commands_by_name_loads_no_rules() -> None:
    """Importing the command line leaves the masker out."""
    program = "import sys, tachograph.cli.main; print('tachograph.processors.masking.masker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_late_commands_are_listed_with_the_others() -> None:
    """After those that are there at once."""
    group = LazyGroup(name="tacho")
    assert group.list_commands(None)[-2:] == list(LazyGroup.lazy)


def test_a_late_command_is_built_when_it_is_asked_for() -> None:
    """A function becomes a command, a module's application a group."""
    group = LazyGroup(name="tacho")
    assert group.get_command(None, "mask").name == "mask"
    assert "list" in group.get_command(None, "rules").commands
    assert group.get_command(None, "nothing") is None
