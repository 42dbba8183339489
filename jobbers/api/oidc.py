"""Bearer tokens (JWT) of an OpenID Connect issuer. Needs PyJWT: ``pip install jobbers[oidc]``."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jobbers.api.callers import Caller
from jobbers.core.access import Scope
from jobbers.errors import ConfigError
from jobbers.settings import Settings

log = logging.getLogger("jobbers.api")

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Only those with a public key: with HS256 in the list, whoever knows the public key could sign."""
FRESH_SECONDS = 300.0
"""How long the issuer's keys are used before they are fetched anew."""
RETRY_SECONDS = 10.0
"""The least time between two fetches, whatever tokens name: strangers must not make us call the issuer at will."""
FETCH_SECONDS = 5.0
LARGEST_ANSWER = 1024 * 1024
LEEWAY_SECONDS = 30
LONGEST_TOKEN = 16 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirection could lead to an address that nobody has checked."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        """See urllib: ``None`` makes an error of it."""


_opener = urllib.request.build_opener(_NoRedirects)


class Tokens:
    """Checks the tokens of one issuer, whose public keys it keeps."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._jwks_url = settings.oidc_jwks_url
        self._claim = settings.oidc_claim
        self._scopes = settings.oidc_scopes
        self._keys: dict[str, Any] = {}
        self._fetched = -FRESH_SECONDS
        self._tried = -RETRY_SECONDS
        self._lock = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Tokens | None:
        """What the settings ask for; ``None`` without an issuer. Raises :class:`ConfigError`."""
        if not settings.oidc_issuer:
            if settings.oidc_audience or settings.oidc_jwks_url:
                raise ConfigError("oidc_audience and oidc_jwks_url need an issuer: set oidc_issuer, too")
            return None
        if importlib.util.find_spec("jwt") is None:
            raise ConfigError("oidc_issuer is set, and tokens need PyJWT: pip install 'jobbers[oidc]'")
        if not settings.oidc_audience:
            raise ConfigError(
                "oidc_issuer is set: set oidc_audience, too, else tokens made for others would open this API"
            )
        for url in filter(None, (settings.oidc_issuer, settings.oidc_jwks_url)):
            _check_url(url)
        return cls(settings)

    async def caller(self, token: str) -> Caller | None:
        """Whose token this is; ``None`` for one that is not valid."""
        import jwt

        if len(token) > LONGEST_TOKEN:
            return None
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return Caller(str(claims["sub"])[:200], self._scope(claims), kind="token")

    def _scope(self, claims: Mapping[str, Any]) -> Scope | None:
        """The highest scope that the claim gives; ``None`` if none."""
        found: Any = claims.get(self._claim)
        if found is None:  # a path, as in realm_access.roles
            found = claims
            for part in self._claim.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        given = {
            Scope(self._scopes[word]) for word in words if isinstance(word, str) and word in self._scopes
        }
        return next((scope for scope in reversed(Scope) if scope in given), None)

    async def _key(self, name: str) -> Any:
        """A public key of the issuer by its name. Fetched when they are old or there is none of this name, but not often;
        if the issuer does not answer, those that we have go on."""
        if not self._has(name):
            async with self._lock:
                now = time.monotonic()
                if not self._has(name) and now - self._tried >= RETRY_SECONDS:
                    self._tried = now
                    try:
                        self._keys = await asyncio.to_thread(self._fetch)
                        self._fetched = time.monotonic()
                    except Exception as error:
                        log.error("the keys of the issuer %s cannot be fetched: %r", self._issuer, error)
        return self._keys.get(name)

    def _has(self, name: str) -> bool:
        return name in self._keys and time.monotonic() - self._fetched < FRESH_SECONDS

    def _fetch(self) -> dict[str, Any]:
        import jwt

        url = self._jwks_url
        if not url:
            about = _get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self._issuer:
                raise ConfigError(f"the issuer calls itself {str(about.get('issuer'))[:200]!r}")
            url = _check_url(str(about["jwks_uri"]))
        return {str(key.key_id or ""): key for key in jwt.PyJWKSet.from_dict(_get(url)).keys}


def _get(url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - see _check_url
    with _opener.open(request, timeout=FETCH_SECONDS) as answer:
        body = answer.read(LARGEST_ANSWER + 1)
    if len(body) > LARGEST_ANSWER:
        raise ConfigError("the issuer's answer is too large")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ConfigError("the issuer's answer is no JSON object")
    return found


def _check_url(url: str) -> str:
    """Raises :class:`ConfigError` for an address that somebody on the way could answer in the issuer's place."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ConfigError("the addresses of an issuer must be https:// (or http:// on loopback)")
