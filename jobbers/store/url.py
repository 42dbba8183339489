"""Redis URLs: read, checked and shown without their secrets. Pure: nothing here opens a connection.

    redis://   valkey://     host, optional port, /db        plain TCP
    rediss://  valkeys://    host, optional port, /db        TLS; ``?ssl_…=`` options allowed
    unix://                  /absolute/path.sock?db=0        unix socket
    embedded                 also ``embedded:///some/dir``   a server that Jobbers starts for this project

User and password come before ``@`` or as ``?username=`` and ``?password=``, percent-encoded where they hold
any of ``/ ? # @ %``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from jobbers.errors import ConfigError

Kind = Literal["tcp", "tls", "unix"]

DEFAULT_PORT: Final = 6379

_KINDS: Final[dict[str, Kind]] = {
    "redis": "tcp",
    "valkey": "tcp",
    "rediss": "tls",
    "valkeys": "tls",
    "unix": "unix",
}
_SCHEME_OF: Final[dict[Kind, str]] = {"tcp": "redis", "tls": "rediss", "unix": "unix"}
_TLS_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_cert_reqs", "ssl_check_hostname", "ssl_keyfile"}
)

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_HOST_AND_PORT = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<name>[\w.%~-]+))(?::(?P<port>.*))?"
)
# A value runs to the next thing that looks like a parameter, so that a raw & or # in a password stays hidden.
_SECRET_PARAMETER = re.compile(
    r"([?&][^=&?]*(?:pas|pwd|secret|token|auth|cred)[^=&]*=).*?(?=&\w+=|$)", re.IGNORECASE | re.DOTALL
)
_NOT_A_PORT = re.compile(r"([^:/?#\[]*):(?!\d{1,5}(?:[/?#]|$)).+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is and how to log in.

    ``host`` and ``port`` are empty and 0 for a unix socket; ``path`` is empty for anything else. ``options``
    are the ``ssl_…`` parameters of a TLS URL, in their order. ``repr`` and :attr:`url` hide the password.
    """

    kind: Kind
    host: str = ""
    port: int = 0
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """The address for people to read: canonical, with ``***`` for the password."""
        login = ""
        if self.password is not None:
            login = f"{quote(self.username or '', safe='')}:***@"
        elif self.username is not None:
            login = "***@"  # as redact() shows it
        query = [f"{name}={quote(value, safe='/')}" for name, value in self.options]
        if self.kind == "unix":
            where, query = quote(self.path), [f"db={self.db}", *query]
        else:
            where = f"{_bracketed(self.host)}:{self.port}/{self.db}"
        return f"{_SCHEME_OF[self.kind]}://{login}{where}" + (f"?{'&'.join(query)}" if query else "")


def redact(url: str) -> str:
    """Return ``url`` with every password replaced by ``***``; hides too much rather than too little.

    Never raises and does not rely on the text being a valid URL, for it is errors that show URLs. A login
    without a colon is hidden whole: nobody can tell a name from a password written without its colon.
    """
    text = _SECRET_PARAMETER.sub(r"\1***", str(url))
    scheme = match.group() if (match := _SCHEME.match(text)) else ""
    rest = text[len(scheme) :]
    if rest.startswith("/") and scheme.strip().lower() == "unix://":
        return text  # no login: an @ here belongs to the socket's path
    # The last @, and not the first that could end a login: a raw / ? # or @ in a password comes before it.
    login, at, where = rest.rpartition("@")
    if not at:  # what is no port may be a password whose host was forgotten
        bare = _NOT_A_PORT.match(rest)
        return f"{scheme}{bare[1]}:***" if bare else text
    user, colon, _ = login.partition(":")
    return f"{scheme}{user}:***@{where}" if colon else f"{scheme}***@{where}"


def is_embedded(url: str) -> bool:
    """Whether ``url`` asks for a server that Jobbers starts itself (``embedded`` or ``embedded://…``)."""
    text = url.strip().lower()
    return text == "embedded" or text.startswith("embedded://")


def embedded_directory(url: str) -> Path | None:
    """The folder that an embedded URL names, or None where it leaves the choice to the default.

    Raises:
        ConfigError: ``url`` is not an embedded URL, or has more to it than an absolute folder.
    """
    parts = _split(url)
    if not is_embedded(url):
        raise _bad(url, "is not an embedded URL", "write embedded or embedded:///some/folder")
    if parts.netloc:
        raise _bad(
            url, "names a host before its folder", "write three slashes, as in embedded:///some/folder"
        )
    if parts.query or parts.fragment:
        raise _bad(
            url, "has more than a folder", "leave out what follows it, and write %3F for ? and %23 for #"
        )
    folder = unquote(parts.path)
    return Path(folder) if folder.strip("/") and parts.scheme else None


def parse(url: str) -> RedisAddress:
    """Read a Redis URL.

    Raises:
        ConfigError: the URL breaks a rule; the message names the redacted URL, the rule and the way out.
            ``embedded`` is refused too: start the server and parse the URL that it then has.
    """
    parts = _split(url)
    if is_embedded(url):
        raise _bad(url, "has no address before its server runs", "start the embedded server and use its URL")
    kind = _KINDS.get(parts.scheme)
    if kind is None or "://" not in url:
        schemes = "redis://host:6379/0, rediss://host:6379/0, unix:///path/redis.sock or embedded"
        raise _bad(url, "does not start with a known scheme", f"write {schemes}")
    if "#" in url:
        raise _bad(url, "has a raw #", "write %23 for it where it is part of a password or path")
    if "@" in parts.path and kind != "unix":
        raise _bad(url, "has a raw / before its @", "write %2F for it where it is part of a password")
    query = _query(url, kind, parts.query)
    login, _, where = parts.netloc.rpartition("@")
    username, password = _credentials(url, login, query)
    if kind == "unix":
        host, port, path = "", 0, _socket_path(url, where, parts.path)
        db = _db(url, "", query)
    else:
        (host, port), path = _host_and_port(url, where), ""
        db = _db(url, parts.path, query)
    options = tuple((name, value) for name, value in query.items() if name in _TLS_OPTIONS)
    return RedisAddress(kind, host, port, path, db, username, password, options)


def _split(url: str) -> SplitResult:
    text = url.strip()
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        # urlsplit would drop some of these silently and connect to something else.
        raise _bad(
            url, "holds a space or a control character", "remove it, or percent-encode it in a password"
        )
    try:
        return urlsplit(text)
    except ValueError:
        pass
    # Outside of the handler: the cause's own message quotes the password, and a traceback would show it.
    raise _bad(
        url, "is not a valid URL", "use brackets only around an IPv6 address, and percent-encode a password"
    )


def _query(url: str, kind: Kind, text: str) -> dict[str, str]:
    known = {"db", "username", "password"} | (_TLS_OPTIONS if kind == "tls" else frozenset())
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in known:
            raise _bad(
                url,
                "has an unknown parameter",
                f"use {', '.join(sorted(known))}, and write %3F for ? in a password",
            )
        if name in query:
            raise _bad(url, f"gives {name} twice", "keep one of them")
        query[name] = value
    return query


def _credentials(url: str, login: str, query: dict[str, str]) -> tuple[str | None, str | None]:
    """User and password from before the ``@`` or from the query; an empty one counts as none."""
    user, _, secret = login.partition(":")
    found: list[str | None] = []
    for name, early in (("username", unquote(user)), ("password", unquote(secret))):
        late = query.get(name, "")
        if early and late:
            raise _bad(url, f"gives the {name} before the @ and after the ?", "keep one of them")
        found.append(early or late or None)
    return found[0], found[1]


def _socket_path(url: str, where: str, path: str) -> str:
    socket = unquote(path)
    if where or not socket.strip("/"):
        raise _bad(
            url, "has no absolute socket path", "write three slashes, as in unix:///run/redis.sock?db=0"
        )
    return socket


def _host_and_port(url: str, where: str) -> tuple[str, int]:
    if not where or where.startswith(":"):
        raise _bad(url, "names no host", f"write it out, as in redis://localhost:{DEFAULT_PORT}/0")
    match = _HOST_AND_PORT.fullmatch(where)
    if match is None:
        raise _bad(url, "names no single valid host", "write one name or address, with brackets around IPv6")
    host, port = match["ipv6"] or unquote(match["name"]), match["port"]
    if port is None:
        return host, DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise _bad(url, "has no port from 1 to 65535 after its host", f"write host:{DEFAULT_PORT}")
    return host, int(port)


def _db(url: str, path: str, query: dict[str, str]) -> int:
    in_path = path.strip("/")
    if in_path and "db" in query:
        raise _bad(url, "gives the database in its path and after the ?", "keep one of them")
    text = in_path or query.get("db", "0")
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise _bad(url, "has no database number", "end it with /0, or another number that the server has")
    return int(text)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bad(url: str, rule: str, way_out: str) -> ConfigError:
    return ConfigError(f"The Redis URL {redact(url)!r} {rule}: {way_out}.")
