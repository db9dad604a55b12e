"""One demo from beginning to end: world, engines, agent, crashes, proof. Every wait is bounded."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import httpx

from tachograph.cli import settings
from tachograph.cli.approvals.local import LocalDesk
from tachograph.cli.assembly import Assembly
from tachograph.cli.demo import evidence, witness
from tachograph.cli.demo.leaks import Search
from tachograph.cli.demo.plant import Planted
from tachograph.cli.demo.proof import Proof, complete_pairs, prove
from tachograph.cli.demo.reviews import Reviews, Terminal, words
from tachograph.cli.demo.world import CREDENTIAL_VARIABLE, World
from tachograph.cli.errors import PartDown, Refused
from tachograph.cli.supervisor import Supervisor

__all__ = ["Demo", "Options"]

SERVERS_SECONDS = 60.0
AGENT_SECONDS = 300.0
INDEXED_SECONDS = 60.0
"""How long after the agent's end everything may take to be searchable; with crashes twice as long."""
STOP_ORDER_SECONDS = 5.0
_LOOK = 0.2
_ASK_SECONDS = 15.0
PASTED = "github_token"
"""The credential that the reviewer's comment carries."""
_CRASHES = (("process", 8), ("sink", 16))
"""Which part is killed after how many exchanges."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for."""

    agent: str
    crash: bool
    say: Callable[[str], None]
    wait: float = 0.0
    """Seconds that a person has to decide about what is held; 0 where none is there."""


class Demo:
    """One run in one world. `stop` is to be called whatever happened."""

    def __init__(self, world: World, planted: Sequence[Planted], upstream: Planted, options: Options) -> None:
        self._world = world
        self._options = options
        self._say = options.say
        self.planted = (*planted, upstream, world.key)
        self._search = Search(self.planted)
        self._refused = 0
        self._crashes = list(_CRASHES) if options.crash else []
        os.environ[CREDENTIAL_VARIABLE] = (
            upstream.text
        )  # where the ingress reads the target's credential from
        self.settings = replace(settings.load(world.config), home=world.home)
        self._servers = Supervisor(world.servers, logs=world.props, run=world.props)
        self.assembly = Assembly(self.settings, managed=True, say=self._say)
        self._in_spool: set[str] = set()
        self._pasted = next(item.text for item in planted if item.name == PASTED)
        self._reviews: Reviews | None = None

    def run(self) -> Proof:
        """Everything up, the agent's work, the proof."""
        self._servers.start(now=time.monotonic())
        self._say("Starting the engines ...")
        self.assembly.start()
        self._await_servers()
        self._knock()
        self._work()
        return self._prove()

    def watch(self) -> None:
        """Keep everything running."""
        self.assembly.watch()
        self._servers.tick(now=time.monotonic())

    def stop(self) -> None:
        """End everything, ours first."""
        if self._reviews is not None:
            self._reviews.close()
        self.assembly.stop()
        self._servers.stop()

    def _await_servers(self) -> None:
        deadline = time.monotonic() + SERVERS_SECONDS
        while not self._servers.ready():
            if time.monotonic() > deadline:
                raise PartDown(
                    f"the example servers did not start within {SERVERS_SECONDS:.0f} s: {self._world.props}"
                )
            time.sleep(_LOOK)

    def _knock(self) -> None:
        # Somebody without a key: refused by the gateway, and on record all the same.
        with httpx.Client(trust_env=False, timeout=_ASK_SECONDS) as stranger:
            answer = stranger.get(f"{self._world.ingress}/c/http/tickets/1")
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            raise Refused(f"a request without a key: expected 401, got {answer.status_code}")
        self._refused += 1

    def _work(self) -> None:
        command, environment = self._world.agent(self._options.agent)
        self._say("The agent is at work ...")
        self._reviews = Reviews(
            LocalDesk(self.settings, None),
            Terminal(self._world.config, self._world.props, self.assembly.urls.get("console")),
            words(self._pasted),
            self._options.wait,
            self._say,
        )
        log = self._world.props / "agent.log"
        with log.open("wb") as output:
            self._attend(command, environment, output, log)

    def _attend(self, command: list[str], environment: dict[str, str], output: IO[bytes], log: Path) -> None:
        with subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as agent:
            deadline = time.monotonic() + AGENT_SECONDS
            try:
                while agent.poll() is None and time.monotonic() < deadline:
                    self._meanwhile()
                    time.sleep(_LOOK)
            finally:
                agent.kill()
        if agent.returncode != 0:
            raise Refused(
                f"the agent did not finish its work (exit code {agent.returncode}): its log is {log}"
            )

    def _meanwhile(self) -> None:
        self.watch()
        if self._reviews is not None:
            self._reviews.look(now=time.monotonic())
        count = witness.read(self._world.witness).count
        if self._crashes and count >= self._crashes[0][1]:
            name, _ = self._crashes.pop(0)
            self._say(f"Killing {name} with SIGKILL after {count} exchanges.")
            self.assembly.supervisor.kill(name)
        spool = self.settings.base / self.settings.configuration.ingress.spool.path
        for _, data in evidence.files(spool):
            self._in_spool |= self._search.found(data)

    def _prove(self) -> Proof:
        seen = witness.read(self._world.witness)
        expected = seen.count + seen.refused_calls + self._refused
        bound = INDEXED_SECONDS * (2 if self._options.crash else 1)
        self._say(f"{expected} exchanges took place; waiting until they can be searched ...")
        deadline = time.monotonic() + bound
        while complete_pairs(self.settings) < expected and time.monotonic() < deadline:
            self.watch()
            time.sleep(_LOOK)
        self._say("Looking for the planted credentials everywhere ...")
        while True:
            proof = self._look()
            if proof.good or proof.leaks or time.monotonic() > deadline:
                return proof
            self.watch()
            time.sleep(1)

    def _look(self) -> Proof:
        seen = witness.read(self._world.witness)
        on_record = frozenset(item.name for item in self.planted)
        refused = self._refused + seen.refused_calls
        proof = prove(self.settings, self._search, seen, refused=refused, planted=on_record)
        if not self._in_spool:
            return proof
        leaks = {**proof.leaks, "the spool": self._in_spool | proof.leaks.get("the spool", set())}
        return replace(proof, leaks=leaks)
