"""Who may do what: scopes, and API keys as text and as they are stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from jobbers.core.names import MAX_NAME, check_name
from jobbers.errors import InvalidInput, InvalidName

PREFIX = "jobbers-key"
"""What every API key begins with, so that people and scanners of source code know one when they see it."""
MOST_QUEUES = 100
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes
_LONGEST = len(PREFIX) + MAX_NAME + 43 + 2


class Scope(StrEnum):
    """How much a caller may do. Each includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether this is enough for what needs ``needed``."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {scope: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """An API key without its secret. Times are ms of the server's clock; ``queues`` are those that it is restricted to, and
    ``None`` is no restriction; ``rate`` is how many calls a second it may make, with up to ``burst`` at once; 0 is no
    limit."""

    name: str
    scope: Scope
    queues: tuple[str, ...] | None = None
    created: int = 0
    expires: int | None = None
    rate: float = 0.0
    burst: int = 0

    def check(self) -> KeyFacts:
        """Itself, if it makes sense. Raises :class:`InvalidInput`, :class:`InvalidName`."""
        check_key_name(self.name)
        if self.queues is not None:
            if not 1 <= len(self.queues) <= MOST_QUEUES:
                raise InvalidInput(f"a key is restricted to 1 to {MOST_QUEUES} queues, or to none at all")
            for queue in self.queues:
                check_name(queue, "the queue")
            if self.scope is Scope.ADMIN:
                raise InvalidInput(
                    "a key with the scope admin cannot be restricted to queues: give it operate"
                )
        check_rate(self.rate, self.burst)
        return self

    def ended(self, now: int) -> bool:
        """Whether it is worth nothing any more."""
        return self.expires is not None and now >= self.expires


def check_rate(rate: float, burst: int) -> None:
    """Raises :class:`InvalidInput` for a rate (calls a second) or burst that makes no sense."""
    if not (rate == 0 or 0.001 <= rate <= 1_000_000):
        raise InvalidInput(f"the rate must be 0 (no limit) or 0.001 to 1,000,000 calls a second, got {rate}")
    if not 0 <= burst <= 1_000_000:
        raise InvalidInput(f"the burst must be from 0 (as many as in a second) to 1,000,000, got {burst}")


def check_key_name(name: str) -> str:
    """Return ``name`` if a key can be called that. Raises :class:`InvalidName`, also for a key in the place of its name,
    which would be shown to others then."""
    if name.startswith(f"{PREFIX}."):
        raise InvalidName("that looks like a key: give its name")
    return check_name(name, "the name of a key")


def parse_scope(text: str) -> Scope:
    """The scope of that name. Raises :class:`InvalidInput`."""
    try:
        return Scope(text)
    except ValueError:
        raise InvalidInput(f"the scope must be one of {', '.join(Scope)}, got {text[:40]!r}") from None


def parse_queues(queues: Iterable[str] | None) -> tuple[str, ...] | None:
    """Queues in order, each once; ``None`` for none."""
    return tuple(sorted(set(queues))) if queues else None


def key_text(name: str, secret: str) -> str:
    """The key as its owner gets it. The name is in it, so that a key is found without a search."""
    return f"{PREFIX}.{name}.{secret}"


def split_key(text: str) -> tuple[str, str] | None:
    """The name and the secret in what somebody says is a key; ``None`` if it cannot be one."""
    if len(text) > _LONGEST or not text.startswith(f"{PREFIX}."):
        return None
    name, _, secret = text.removeprefix(f"{PREFIX}.").rpartition(".")
    try:
        check_name(name, "the name of a key")
    except InvalidName:
        return None
    return (name, secret) if _SECRET.fullmatch(secret) else None


def digest(secret: str) -> str:
    """What is stored of a secret.

    One round of SHA-256 is right here: a slow hash, as for passwords, makes guessing dear where people choose the secret.
    These are 256 bits of chance, which nobody guesses at any speed; a slow hash would only make every call slow.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def same(secret: str, stored: str) -> bool:
    """Whether a secret is the one whose digest is stored, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(digest(secret), stored)


def pack_key(facts: KeyFacts, stored: str) -> bytes:
    """A key as it is stored: JSON, with the digest of its secret."""
    return json.dumps(
        {
            "digest": stored,
            "scope": facts.scope,
            "queues": facts.queues,
            "created": facts.created,
            "expires": facts.expires,
            "rate": facts.rate,
            "burst": facts.burst,
        },
        separators=(",", ":"),
    ).encode()


def unpack_key(name: str, packed: object) -> tuple[KeyFacts, str] | None:
    """A key and the digest of its secret; ``None`` if there is none, or what lies there is no key and opens nothing."""
    return _unpack(name, packed) if isinstance(packed, bytes) else None


@lru_cache(maxsize=256)
def _unpack(name: str, packed: bytes) -> tuple[KeyFacts, str] | None:
    """What a key is depends on what is stored only, which is read for every call: so the same need not be read twice."""
    try:
        found: dict[str, Any] = json.loads(packed)
        expires = found["expires"]
        facts = KeyFacts(
            name=name,
            scope=Scope(found["scope"]),
            queues=None if found["queues"] is None else tuple(map(str, found["queues"])),
            created=int(found["created"]),
            expires=None if expires is None else int(expires),
            rate=float(found["rate"]),
            burst=int(found["burst"]),
        )
        return facts.check(), str(found["digest"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
