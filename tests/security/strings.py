"""Text that has broken other programs. Each is a JSON string, so that what is no text at all can be among them."""

from __future__ import annotations

import json

HOSTILE: list[str] = [
    *map(
        json.dumps,
        [
            *("", " ", "\0", "a\0b", "\r\nX-Injected: 1", "\x1b[31mred\x1b]0;title\x07", "\x7f\x80\x9f", "\t\v\f"),
            *("\u202eevil\u202c", "\u2066a\u2069", "\u200b", "\ufeffx", "\uffff\ufffe", "e\u0301" * 50, "\u0600\u06dd"),
            *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0010ffff", "\U000e0001", "\U0001d54a", "ﷺ" * 50),
            *("<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "</a><svg/onload=x>"),
            *("'; DROP TABLE tasks; --", "\" OR \"1\"=\"1", "1 UNION SELECT *", "*", "?", "[a-z]*", "h[^e]llo"),
            *("../../etc/passwd", "..\\..\\win.ini", "/dev/null", "%2e%2e%2f", "file:///etc/passwd", "C:\\aux"),
            *("%s%s%s%n", "{0.__class__.__mro__}", "${jndi:ldap://127.0.0.1/a}", "{{7*7}}", "#{1+1}", "`id`", "$(id)"),
            *("{jobbers}:meta", "jobbers:1", ":task:", "a\nSET x y\r\n", "*3\r\n$3\r\nDEL\r\n", "x" * 100_000),
            *("(a+)+$", "null", "NaN", "-0", "1e400", "true", "__proto__", "constructor", "__class__", "self"),
        ],
    ),
    *('"\\ud800"', '"\\udfff\\ud800"', '"a\\ud83d"', '"\\u0000\\ud800"'),
]  # fmt: skip
"""JSON texts, at least forty."""

VALUES: list[str] = [
    *("null", "true", "0", "-1", "1e400", "-1e400", "1e308", "1" * 30, "9" * 400, "1" * 5_000, "0.1e-400", "-0.0"),
    *("NaN", "Infinity", "[]", "{}", "[null]", '{"": {"": {}}}', "[" * 60 + "]" * 60, "[" * 5_000 + "]" * 5_000),
    *('{"$base64": "x"}', '{"$base64": 1}', '{"$result": "x"}', '{"$ext": 1}', "18446744073709551616", "[[[[1e999]]]]"),
]  # fmt: skip
"""JSON texts that are no strings, and some that are no JSON."""
