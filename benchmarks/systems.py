"""Which systems can be measured, how each adapter is started, and whether it is installed."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.child import ROOT, Child, ChildError

ENVIRONMENTS = ROOT / ".venv-bench"
SHARED = "peers"
"""The environment of the peers that can live together; ``requirements/`` has one file an environment."""
DESCRIBE_SECONDS = 60.0
DEFAULT_CONCURRENCY = 100


@dataclass(frozen=True, slots=True)
class Known:
    """How an adapter is found: a Python module, or a script for Node."""

    module: str = ""
    environment: str = ""
    """The directory under .venv-bench whose interpreter is used; empty: the harness's own interpreter."""
    script: str = ""
    peer: bool = True


SYSTEMS = {
    "jobbers": Known("jobbers", peer=False),
    "bare": Known("bare", peer=False),
    "arq": Known("arq", "arq"),
    "saq": Known("saq", "saq"),
    "streaq": Known("streaq", "streaq"),
    "taskiq-list": Known("taskiq_list", "taskiq"),
    "taskiq-stream": Known("taskiq_stream", "taskiq"),
    "dramatiq": Known("dramatiq", "dramatiq"),
    "docket": Known("docket", "docket"),
    "bullmq": Known(script="benchmarks/bullmq/adapter.mjs"),
}


@dataclass(frozen=True, slots=True)
class System:
    """A system that takes part in this run; ``name@500`` is the same system with another concurrency."""

    name: str
    argv: tuple[str, ...]
    concurrency: int = DEFAULT_CONCURRENCY
    facts: dict[str, Any] = field(default_factory=dict)

    def child(self, command: str, *options: str) -> Child:
        """Start the adapter with one command."""
        return Child([*self.argv, command, *options], name=f"{self.name} {command}")


def is_peer(name: str) -> bool:
    """Whether a system is one that Jobbers is compared with."""
    return SYSTEMS[name.partition("@")[0]].peer


@dataclass(frozen=True, slots=True)
class Interpreters:
    """Which Python runs which adapter."""

    environments: Path = ENVIRONMENTS
    chosen: dict[str, str] = field(default_factory=dict)
    """``--python`` options by system; the empty name stands for all peers."""

    @classmethod
    def from_options(cls, environments: Path, pythons: list[str]) -> Interpreters:
        """From ``--environments DIRECTORY`` and ``--python PATH`` or ``--python SYSTEM=PATH``."""
        pairs = (value.rpartition("=") for value in pythons)
        return cls(environments, {name: path for name, _, path in pairs})

    def of(self, name: str, known: Known) -> str:
        """The option for this system, else the one for all peers, else its own environment, else the one that peers share,
        else this Python."""
        if name in self.chosen:
            return self.chosen[name]
        if not known.environment:
            return sys.executable
        if "" in self.chosen:
            return self.chosen[""]
        own, shared = (self.environments / name / "bin" / "python" for name in (known.environment, SHARED))
        return str(own) if own.exists() else str(shared) if shared.exists() else sys.executable


def resolve(label: str, interpreters: Interpreters) -> System:
    """The system behind a label of ``--systems``, asked to describe itself; ``ChildError`` if it cannot."""
    name, _, concurrency = label.partition("@")
    known = SYSTEMS[name]
    if known.script:
        node = shutil.which("node")
        if node is None:
            raise ChildError(f"{name}: no node on PATH")
        argv: tuple[str, ...] = (node, known.script)
    else:
        module = Path(__file__).parent / "adapters" / f"{known.module}.py"
        if not module.exists():
            raise ChildError(f"{name}: no adapter")
        argv = (interpreters.of(name, known), "-m", f"benchmarks.adapters.{known.module}")
    system = System(label, argv, int(concurrency or DEFAULT_CONCURRENCY))
    with system.child("describe") as child:
        system.facts.update(child.answer(DESCRIBE_SECONDS))
    return system
