"""Finds an application by its path, ``module:attribute``, and says exactly what is wrong when it cannot."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from jobbers.app import Jobbers
from jobbers.errors import ConfigError

DEFAULT_ATTRIBUTE = "app"


def load_app(path: str) -> Jobbers:
    """Import the application at ``path``; the current directory is put on Python's path. Raises :class:`ConfigError`."""
    module_name, attribute = _split(path)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module = _import(module_name)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigError(
                f"module {module_name!r} has no attribute {attribute!r}; {_hint(module)}"
            ) from None
    if not isinstance(found, Jobbers):
        raise ConfigError(
            f"{module_name}:{attribute} is a {type(found).__name__} and no Jobbers application; {_hint(module)}"
        )
    return found


def _split(path: str) -> tuple[str, str]:
    if "://" in path:  # not repeated here, for it may hold a password
        raise ConfigError(
            "an application path is module:attribute, and a URL was given: that belongs in --redis-url"
        )
    module, colon, attribute = path.partition(":")
    if module.endswith(".py") or "/" in module:
        dotted = ".".join(Path(module.removesuffix(".py")).parts).lstrip("./") or "module"
        raise ConfigError(
            f"application path {path!r} names a file: write it as a module, {dotted}:{attribute or DEFAULT_ATTRIBUTE}"
        )
    if not all(module.split(".")) or (colon and not all(attribute.split("."))):
        raise ConfigError(f"application path {path!r} is not module:attribute, as in shop.tasks:app")
    return module, attribute or DEFAULT_ATTRIBUTE


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigError(
                f"there is no module {missing!r}: looked in {Path.cwd()} and on Python's path; run this in the folder "
                "that the module path starts from"
            ) from None
        failure: BaseException = error
    except (Exception, SystemExit) as error:
        failure = error
    raise ConfigError(f"importing module {name!r} failed: {_place(failure)}") from failure


def _place(error: BaseException) -> str:
    """What went wrong and where, in one line."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")
    ]
    own = [frame for frame in frames if Path(frame.filename) != Path(__file__)]
    return f"{said} ({own[-1].filename}, line {own[-1].lineno})" if own else said


def _hint(module: ModuleType) -> str:
    apps = sorted(name for name, value in vars(module).items() if isinstance(value, Jobbers))
    if not apps:
        return "the module has no Jobbers application at all"
    return f"it has {' and '.join(f'{module.__name__}:{name}' for name in apps)}"
