"""`tacho erase SUBJECT`: all records of a principal or a session, stated in the log before they go."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.output import note, table
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:
    from tachograph.cli.evidence.deleting import Deleter, Plan
    from tachograph.cli.evidence.store import Store
    from tachograph.cli.settings import Settings

__all__ = ["DryRunOption", "WaitOption", "erase", "refuse_gateways"]

SETTLED_SECONDS = 3_600
"""A session without a close is taken for ended after this long without a record."""
DryRunOption = Annotated[bool, typer.Option("--dry-run", metavar="", help="Show what would go, and stop.")]
WaitOption = Annotated[
    float | None,
    typer.Option("--wait", metavar="SECONDS", min=1, help="How long the next checkpoint may take to come."),
]


def erase(  # noqa: PLR0913, PLR0917  each is an option
    subject: Annotated[str | None, typer.Argument(help="A principal's id, or a session's.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept for ever, so name no person.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    dry_run: DryRunOption = False,
    check: Annotated[
        bool,
        typer.Option("--verify", metavar="", help="Find, and delete again, what was erased and is there."),
    ] = False,
    wait: WaitOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Erase all records of a principal's sessions, or of one session, with a sealed statement that says so.

    Run it again after it was interrupted: it goes on where it stood.
    """
    if (subject is None) != check:
        raise WrongUse("name a principal or a session: tacho erase SUBJECT; or tacho erase --verify")
    told = settings.load(config)
    from tachograph.cli.evidence.deletion_run import exit_code, open_deleter, planned, tell, to_be_run_again

    with to_be_run_again(dry_run=dry_run), open_deleter(told, wait) as deleter:
        if subject is None:
            plan, sessions = _left(told, deleter)
        else:
            plan, sessions = _erasing(told, deleter, subject, reason)
        if not json_output:
            _show(plan, sessions)
        if not (dry_run or yes or check):
            typer.confirm("This cannot be undone. Erase them?", abort=True, err=True)
        done = planned(plan) if dry_run else deleter.run(plan)
    tell(done, sessions=sessions, dry_run=dry_run, json_output=json_output)
    if code := exit_code(done):
        raise typer.Exit(code)


def _erasing(told: Settings, deleter: Deleter, subject: str, reason: str | None) -> tuple[Plan, list[str]]:
    from tachograph.cli.evidence.deletion_run import about, logs
    from tachograph.forensics.deletion.reading import of_sessions
    from tachograph.schemas.deletion import ERASURE

    sessions, rule = _sessions(deleter.store, subject)
    for session in sessions:
        newest = deleter.store.open_since(session)
        if newest is not None and newest / 1000 > time.time() - SETTLED_SECONDS:
            raise Refused(
                f"session {session} is still being recorded: erase it once it is closed, or "
                f"{SETTLED_SECONDS // 60} minutes after its last record"
            )
    found = logs(told, of_sessions(sessions))
    there = _there(deleter.store, sessions)
    if not any(log.leaves for log in found):
        why = (
            "is not sealed yet: does `tacho seal` run?"
            if there
            else "is neither principal nor session on record"
        )
        raise Refused(f"{subject} {why}")
    plan = deleter.plan(found, about(ERASURE, rule, reason), lambda _: True)
    known = {str(leaf.uid) for log in found for leaf in log.leaves}
    return replace(plan, unsealed=len(there - known)), sessions


def _sessions(store: Store, subject: str) -> tuple[list[str], str]:
    """Whose sessions, and under which rule; a session by its whole id."""
    refuse_gateways(store, subject)
    found, session = store.sessions_of(subject), _whole_id(subject)
    if session is not None and found and store.has_session(session):
        raise Refused(f"{subject} is a principal and a session: erase its sessions one by one")
    if session is not None and not found:
        return [session], "tacho erase: a session"
    if not found:
        raise Refused(f"{subject}: no principal with this id is on record, and it is no session's whole id")
    return found, "tacho erase: the sessions of a principal"


def refuse_gateways(store: Store, subject: str) -> None:
    """Raises `Refused` where a gateway's own strand would go: its heartbeats prove the ends of others."""
    if store.is_gateways(subject):
        raise Refused(
            f"{subject}: gateways' own records are not erased, they prove that sessions are whole; "
            "`tacho retention` deletes them once it keeps nothing that they prove"
        )


def _whole_id(text: str) -> str | None:
    try:
        found = str(uuid.UUID(text))
    except ValueError:
        return None
    return found if found == text.lower() else None


def _there(store: Store, sessions: list[str]) -> set[str]:
    """The ids of all their documents."""
    return {
        uid
        for session in sessions
        for uid in store.ids(store.everything, {"term": {"unmapped.tacho.session": session}})
    }


def _left(told: Settings, deleter: Deleter) -> tuple[Plan, list[str]]:
    """What statements have named that is there: a run that was ended left it, or a sink brought it back."""
    from tachograph.cli.evidence.deletion_run import logs
    from tachograph.forensics.deletion.reading import statements_only

    plan = deleter.unfinished(logs(told, statements_only))
    return plan, sorted({str(item.session) for item in plan.statements})


def _show(plan: Plan, sessions: list[str]) -> None:
    rows = []
    for session in sessions:
        ours = [item.statement for item in plan.drafts if str(item.statement.session) == session]
        days = sorted(entry[1] for item in ours for entry in item.records)
        rows.append((session, len(days), f"{days[0]} to {days[-1]}" if days else "stated already"))
    if plan.altered:
        note(f"{len(plan.altered)} documents were altered. They go too, and stay MISSING: export them first.")
    table(("session", "records", "days"), rows, empty="No statement of a deletion is on record.")
