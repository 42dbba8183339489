"""Reading Redis URLs, and never showing their passwords."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.errors import ConfigError
from jobbers.store.url import RedisAddress, embedded_directory, is_embedded, parse, redact


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost", RedisAddress("tcp", "localhost", 6379)),
        ("redis://localhost/", RedisAddress("tcp", "localhost", 6379)),
        ("REDIS://LocalHost:6380/3", RedisAddress("tcp", "LocalHost", 6380, db=3)),
        ("valkey://h/1", RedisAddress("tcp", "h", 6379, db=1)),
        ("redis://h?db=4", RedisAddress("tcp", "h", 6379, db=4)),
        ("  redis://h/0\n", RedisAddress("tcp", "h", 6379)),
        ("rediss://h", RedisAddress("tls", "h", 6379)),
        ("valkeys://h:7000", RedisAddress("tls", "h", 7000)),
        ("redis://[::1]:6380/2", RedisAddress("tcp", "::1", 6380, db=2)),
        ("redis://:pw@h", RedisAddress("tcp", "h", 6379, password="pw")),
        ("redis://me:p%40%2Fw@h", RedisAddress("tcp", "h", 6379, username="me", password="p@/w")),
        ("redis://me:p@w@h", RedisAddress("tcp", "h", 6379, username="me", password="p@w")),
        ("redis://me@h?password=pw", RedisAddress("tcp", "h", 6379, username="me", password="pw")),
        ("redis://h?username=me&password=pw", RedisAddress("tcp", "h", 6379, username="me", password="pw")),
        ("redis://me:@h", RedisAddress("tcp", "h", 6379, username="me")),
        ("unix:///run/redis.sock", RedisAddress("unix", path="/run/redis.sock")),
        ("unix:///a%20b/c@d.sock?db=2", RedisAddress("unix", path="/a b/c@d.sock", db=2)),
        ("unix://me:pw@/r.sock", RedisAddress("unix", path="/r.sock", username="me", password="pw")),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
            RedisAddress(
                "tls", "h", 6379, options=(("ssl_ca_certs", "/ca.pem"), ("ssl_cert_reqs", "required"))
            ),
        ),
    ],
)
def test_a_good_url_is_read(url: str, expected: RedisAddress) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "known scheme"),
        ("localhost:6379", "known scheme"),
        ("redis:localhost", "known scheme"),
        ("http://h", "known scheme"),
        ("embedded", "no address before its server runs"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://:pw@/0", "names no host"),
        ("redis://a,b", "no single valid host"),
        ("redis://[::1", "not a valid URL"),
        ("redis://::1", "names no host"),
        ("redis://h:", "no port"),
        ("redis://h:0", "no port"),
        ("redis://h:65536", "no port"),
        ("redis://h:6379x", "no port"),
        ("redis://h/x", "no database number"),
        ("redis://h/-1", "no database number"),
        ("redis://h/1?db=1", "database in its path and after"),
        ("redis://h?timeout=5", "unknown parameter"),
        ("redis://h?ssl_ca_certs=/x", "unknown parameter"),
        ("redis://h?db=1&db=2", "gives db twice"),
        ("redis://:a@h?password=b", "gives the password before the @"),
        ("redis://:a/b@h", "raw / before its @"),
        ("redis://:a?b@h", "unknown parameter"),
        ("redis://:a#b@h", "raw #"),
        ("redis://a b", "space or a control character"),
        ("redis://a\nb", "space or a control character"),
        ("unix://run/redis.sock", "no absolute socket path"),
        ("unix://", "no absolute socket path"),
    ],
)
def test_a_bad_url_is_refused_with_its_rule_and_the_way_out(url: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(rule)) as caught:
        parse(url)
    assert str(caught.value).startswith("The Redis URL '")
    assert re.search(r": .+\.$", str(caught.value))
    assert caught.value.__context__ is None  # a cause would quote the URL as it was


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:pw@h:1/2", "redis://:***@h:1/2"),
        ("redis://me:pw@h", "redis://me:***@h"),
        ("rediss://me:p@w/x?y#z@h/0", "rediss://me:***@h/0"),
        ("redis://me@h", "redis://***@h"),
        ("redis://h/0?password=pw", "redis://h/0?password=***"),
        ("redis://h/0?password=p@w#x&y&db=1", "redis://h/0?password=***&db=1"),
        ("redis://me:pw@h?PASSWORD=pw", "redis://me:***@h?PASSWORD=***"),
        ("redis://h?pasword=pw", "redis://h?pasword=***"),
        ("unix:///tmp/a@b.sock?db=0", "unix:///tmp/a@b.sock?db=0"),
        ("unix://me:pw@/tmp/r.sock", "unix://me:***@/tmp/r.sock"),
        ("redis://:forgot-the-host", "redis://:***"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
        ("me:pw@h:6379", "me:***@h:6379"),
        ("embedded", "embedded"),
        ("", ""),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(st.text())
def test_redact_never_raises_and_is_idempotent(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text())
def test_parse_raises_nothing_but_a_config_error(text: str) -> None:
    for url in (text, f"redis://{text}", f"redis://h?{text}", f"unix://{text}"):
        with suppress(ConfigError):
            parse(url)


@given(st.text(alphabet="secret/?#@:&%[] é", min_size=1).map(lambda middle: f"Q{middle}Q"), st.booleans())
def test_no_password_is_ever_shown(password: str, encoded: bool) -> None:
    """However wrongly it is written, in an address and in an error."""
    written = quote(password, safe="") if encoded else password
    urls = [f"redis://me:{written}@h:1/2", f"redis://h?password={written}"]
    if "@" not in written:
        urls.append(f"redis://:{written}")  # the host forgotten; with an @, what follows it is the host
    for url in urls:
        assert "Q" not in redact(url)
        assert "Q" not in read_or_refused(url)


def read_or_refused(url: str) -> str:
    """All that is shown of a URL, good or bad."""
    try:
        address = parse(url)
    except ConfigError as error:
        return str(error)
    return repr(address) + address.url


@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 99999))
def test_an_encoded_login_is_read_back(username: str, password: str, db: int) -> None:
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    expected = RedisAddress("tcp", "h", 7, db=db, username=username, password=password)
    assert parse(f"redis://{login}@h:7/{db}") == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("valkey://me:pw@h", "redis://me:***@h:6379/0"),
        ("valkeys://:pw@[::1]/2", "rediss://:***@[::1]:6379/2"),
        ("redis://me@h", "redis://***@h:6379/0"),
        ("unix:///a%20b.sock", "unix:///a%20b.sock?db=0"),
        ("rediss://h?ssl_ca_certs=/ca.pem", "rediss://h:6379/0?ssl_ca_certs=/ca.pem"),
    ],
)
def test_an_address_is_shown_in_one_form(url: str, shown: str) -> None:
    assert parse(url).url == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("embedded", None),
        (" Embedded ", None),
        ("embedded://", None),
        ("embedded:///", None),
        ("embedded:///some/dir", Path("/some/dir")),
        ("EMBEDDED:///some%20dir", Path("/some dir")),
    ],
)
def test_embedded_is_recognised(url: str, folder: Path | None) -> None:
    assert is_embedded(url)
    assert embedded_directory(url) == folder


@pytest.mark.parametrize("url", ["", "redis://embedded", "embedded2://", "embedded:x", "/embedded"])
def test_other_urls_are_not_embedded(url: str) -> None:
    assert not is_embedded(url)
    with pytest.raises(ConfigError):
        embedded_directory(url)


@pytest.mark.parametrize("url", ["embedded://some/dir", "embedded:///dir?db=1", "embedded:///dir#x"])
def test_an_embedded_url_holds_an_absolute_folder_only(url: str) -> None:
    with pytest.raises(ConfigError, match=r"embedded:///|%3F"):
        embedded_directory(url)
