"""API keys and the audit log, as the API and the command line share them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jobbers.core.access import (
    KeyFacts,
    Scope,
    check_key_name,
    check_rate,
    digest,
    key_text,
    parse_queues,
    parse_scope,
    same,
    split_key,
)
from jobbers.errors import InvalidInput, JobbersError
from jobbers.store.access import AuditEntry
from jobbers.store.store import Store

log = logging.getLogger("jobbers.audit")

MOST_KEYS = 1_000
LONGEST_LIFE = 100 * 366 * 86_400.0
LONGEST_NOTE = 300
AUDIT_PAGE = 500
SESSION_SECONDS = 12 * 3600
_NOBODY = digest("")
_KEYLIKE = re.compile(r"jobbers-key\.[^\s]*")


class NewKey(NamedTuple):
    """A key that was just made. ``text`` is the key itself: shown now and stored nowhere."""

    facts: KeyFacts
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.facts!r})"  # what is logged by mistake must not open anything


class AuditPage(NamedTuple):
    """A page of the audit log, the newest first; ``cursor`` leads to the next, and is ``None`` when that was all."""

    entries: Sequence[AuditEntry]
    cursor: str | None


class Access:
    """Keys, logins, rates and the audit log of a namespace, over an open store."""

    def __init__(self, store: Store) -> None:
        self._access = store.access

    async def guarded(self) -> bool:
        """Whether the namespace has or has had keys: then the API asks for one, unless it is set to ``off``."""
        return await self._access.guarded()

    async def create(
        self,
        name: str,
        scope: str,
        *,
        queues: Iterable[str] | None = None,
        expires: float | None = None,
        rate: float = 0,
        burst: int = 0,
    ) -> NewKey:
        """Make a key. ``expires`` is in seconds from now; ``rate`` in calls a second, with up to ``burst`` at once (as many
        as in a second, if it is 0). Raises :class:`InvalidInput`, :class:`Conflict`."""
        check_key_name(name)
        if expires is not None and not 0 < expires <= LONGEST_LIFE:
            raise InvalidInput(f"a key expires in more than 0 seconds and at most 100 years, got {expires}")
        if len(await self._access.list_keys()) >= MOST_KEYS:
            raise InvalidInput(f"there are {MOST_KEYS:,} keys already: revoke those that nobody needs")
        now = await self._access.now_ms()
        facts = KeyFacts(
            name=name,
            scope=parse_scope(scope),
            queues=parse_queues(queues),
            created=now,
            expires=None if expires is None else now + int(expires * 1000),
            rate=rate,
            burst=burst,
        ).check()
        secret = secrets.token_urlsafe(32)
        await self._access.create_key(facts, digest(secret))
        return NewKey(facts, key_text(name, secret))

    async def keys(self) -> Sequence[KeyFacts]:
        """All keys by name, also those that have expired."""
        return await self._access.list_keys()

    async def now_ms(self) -> int:
        """The server's clock."""
        return await self._access.now_ms()

    async def revoke(self, name: str) -> None:
        """Take a key away: it opens nothing from now on, and logins made with it end. Raises :class:`NotFound`."""
        await self._access.revoke_key(check_key_name(name))

    async def find(self, text: str) -> KeyFacts | None:
        """Whose key this is; ``None`` for one that is wrong, revoked or expired, without a hint which."""
        parts = split_key(text)
        if parts is None:
            return None
        name, secret = parts
        known = await self._access.key(name)
        # Compared in any case, so that the time taken does not tell whether there is a key of this name.
        right = same(secret, _NOBODY if known is None else known.digest)
        return known.facts if known is not None and right and not known.facts.ended(known.now) else None

    async def log_in(self, text: str) -> tuple[str, KeyFacts] | None:
        """Open a session of the page for the holder of a key. Returns its secret, for the cookie, and whose it is."""
        facts = await self.find(text)
        parts = split_key(text)
        if facts is None or parts is None:
            return None
        secret = secrets.token_urlsafe(32)
        remembered = json.dumps({"key": facts.name, "digest": digest(parts[1])})
        await self._access.open_session(digest(secret), remembered, SESSION_SECONDS * 1000)
        return secret, facts

    async def session(self, secret: str) -> KeyFacts | None:
        """Whose session this is. It ends with the key that it was opened with, also if another has got its name."""
        remembered = await self._access.session(digest(secret))
        try:
            found = json.loads(remembered or b"")
            name, stored = str(found["key"]), str(found["digest"])
        except (ValueError, KeyError, TypeError):
            return None
        known = await self._access.key(name)
        if known is None or known.facts.ended(known.now) or not secrets.compare_digest(known.digest, stored):
            return None
        return known.facts

    async def log_out(self, secret: str) -> None:
        """End a session."""
        await self._access.close_session(digest(secret))

    async def meter(self, caller: str, rate: float, burst: int) -> float:
        """Count a call of a caller. Returns 0 if it may be made, else the seconds until one may; a ``rate`` of 0 is
        no limit."""
        if rate <= 0:
            return 0
        check_rate(rate, burst)
        # A caller may be anything that an issuer of tokens calls its own; a key of the server takes no such names.
        bucket = hashlib.sha256(caller.encode()).hexdigest()[:32]
        return await self._access.meter(bucket, rate, burst or max(1, math.ceil(rate)))

    async def note(
        self,
        who: str,
        action: str,
        target: str = "",
        *,
        most: int,
        patience: float | None = None,
        **more: str,
    ) -> None:
        """Write down who did what to what, here and in the log of this process. ``most`` is how many entries are kept, and
        ``patience`` for how many seconds an unreachable server is tried. That it cannot be written is logged: what was done
        is done."""
        fields = {"who": who, "action": action, "target": target, **more}
        safe = {name: clean(text) for name, text in fields.items()}
        log.info("%s", " ".join(f"{name}={text}" for name, text in safe.items()))
        try:
            await self._access.note(safe, most, patience)
        except JobbersError as error:
            log.error(
                "not in the audit log: %s %s %s: %s", safe["who"], safe["action"], safe["target"], error
            )

    async def audit(self, cursor: str | None = None, limit: int = 100) -> AuditPage:
        """A page of the audit log, the newest first; ``limit`` from 1 to 500. Raises :class:`InvalidInput`."""
        if not 1 <= limit <= AUDIT_PAGE:
            raise InvalidInput(f"limit must be from 1 to {AUDIT_PAGE}, got {limit}")
        try:
            return AuditPage(*await self._access.audit(cursor, limit))
        except ValueError:
            raise InvalidInput("the cursor is not one that a page of this list gave", "cursor") from None


def without_keys(text: str) -> str:
    """Text for a log, without what looks like a key: somebody may put one where it does not belong, as into a path."""
    return _KEYLIKE.sub("jobbers-key.***", text)


def clean(text: str) -> str:
    """Text for the audit log: short, printable, and without what looks like a key."""
    safe = without_keys(text[: 4 * LONGEST_NOTE])
    return "".join(char if char.isprintable() else "?" for char in safe)[:LONGEST_NOTE]


def chosen(ids: Sequence[str] | None, **by: object) -> str:
    """What something was done to, for the audit log: the first of ``ids``, or by what they were chosen."""
    if ids:
        return " ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
    return " ".join(f"{name}={value}" for name, value in by.items() if value not in (None, False))


__all__ = ["Access", "AuditPage", "NewKey", "Scope", "chosen", "clean", "without_keys"]
