"""`tacho retention`: what is older than the configuration allows goes, stated in the log before it does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence.boots import Boots, boots_of, expired_before, millis
from tachograph.cli.evidence.erase import DryRunOption, WaitOption
from tachograph.cli.output import note
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:
    from tachograph.cli.evidence.deleting import Deleter, Done
    from tachograph.cli.settings import Settings
    from tachograph.schemas.leaf import Leaf

__all__ = ["retention"]

_DAY_MS = 86_400_000


def retention(
    dry_run: DryRunOption = False,
    wait: WaitOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Delete what is older than `retention` allows, once, with sealed statements that say so; for cron."""
    told = settings.load(config)
    policy = told.configuration.retention
    kept = {"events": policy.events_days, "messages": policy.messages_days}
    if not any(kept.values()):
        raise WrongUse("nothing is to be deleted: `retention` in the configuration says after how many days")
    from tachograph.cli.evidence.deleting import Done
    from tachograph.cli.evidence.deletion_run import exit_code, open_deleter, tell, to_be_run_again

    total, now = Done(), datetime.now(UTC)
    with to_be_run_again(dry_run=dry_run), open_deleter(told, wait) as deleter:
        boots = boots_of(deleter.store, kept, now)
        for family, days in kept.items():
            before = expired_before(now, days) if days else ""
            for day in (day for day in deleter.store.days(family) if day < before):
                note(f"{family} of {day}")
                total.add(_expire(told, deleter, (family, day), boots, dry_run=dry_run))
    tell(total, sessions=[], dry_run=dry_run, json_output=json_output)
    if total.altered or total.missing:
        raise typer.Exit(exit_code(total))


def _expire(told: Settings, deleter: Deleter, place: tuple[str, str], boots: Boots, *, dry_run: bool) -> Done:
    """One daily index: a day of one family."""
    from tachograph.cli.evidence.deletion_run import about, logs, planned
    from tachograph.forensics.deletion.reading import of_days
    from tachograph.schemas.deletion import EXPIRED

    family, day = place

    def wanted(leaf: Leaf) -> bool:
        ours = leaf.day == day and (leaf.type == "message") == (family == "messages")
        return ours and not boots.keep(leaf)

    days = getattr(told.configuration.retention, f"{family}_days")
    rule = about(EXPIRED, f"tacho retention: {family} for {days} days", None)
    plan = deleter.plan(logs(told, of_days([day])), rule, wanted)
    if dry_run:
        return planned(plan)
    sessions = {str(item.session) for item in plan.statements}
    # The data key goes with a session's last events; its raw records are gone for long.
    since = millis(day) + _DAY_MS
    living = sessions if family == "messages" else deleter.store.still_in(sorted(sessions), since=since)
    return deleter.run(plan, living=frozenset(map(uuid.UUID, living)), whole_days=True)
