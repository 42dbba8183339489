"""The signature of a function that takes a batch, as those see it who submit: one item in, one result out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError

from jobbers.core.signature import Checker, Signature
from jobbers.errors import ConfigError

_LISTS = (list, tuple)
_RULE = "takes a batch: give it exactly one parameter without a default, annotated list[...] of what a task carries"


class BatchSignature(Signature):
    """``def store(events: list[Event]) -> list[int | Exception]`` reads as ``(events: Event) -> int``.

    Raises :class:`ConfigError` for a function with more or other parameters at once, and for other annotations when they
    are first needed, as :class:`Signature` does.
    """

    def __init__(self, function: Callable[..., Any], task_type: str) -> None:
        super().__init__(function, task_type)
        kinds = inspect.Parameter
        match list(inspect.signature(function).parameters.values()):
            case [only] if only.default is kinds.empty and only.kind in (
                kinds.POSITIONAL_ONLY,
                kinds.POSITIONAL_OR_KEYWORD,
            ):
                self._parameter = only.name
            case _:
                raise ConfigError(f"task {task_type!r} {_RULE}")

    def load(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """See :meth:`Signature.load`; one argument in its place, as nearly every task of a batch has it, costs little."""
        if len(args) != 1 or kwargs:
            return super().load(args, kwargs)
        try:
            return [self._item.load(args[0])], {}
        except (TypeError, ValidationError) as error:
            raise self._refusal(self._parameter, error) from None

    @cached_property
    def _item(self) -> Checker:
        return self._checker(self._parameter)

    def _annotated(self) -> dict[str, Any]:
        hints = super()._annotated()
        items = hints.get(self._parameter, Any)
        if items is not list and get_origin(items) is not list:
            raise ConfigError(f"task {self._task_type!r} {_RULE}; {self._parameter!r} is annotated {items!r}")
        item = get_args(items)[0] if get_args(items) else Any
        return {self._parameter: item, "return": _result_of(hints.get("return", Any))}


def _result_of(returned: Any) -> Any:
    """The result of one item: what the list holds besides exceptions."""
    if returned is None or returned is type(None):
        return type(None)
    if get_origin(returned) in (Union, UnionType):  # a list, or None instead of one
        lists = [one for one in get_args(returned) if get_origin(one) in _LISTS]
        returned = lists[0] if len(lists) == 1 else Any
    if get_origin(returned) not in _LISTS:
        return Any
    of = get_args(returned)[0]
    parts = get_args(of) if get_origin(of) in (Union, UnionType) else (of,)
    results = [one for one in parts if not (isinstance(one, type) and issubclass(one, BaseException))]
    return Union[tuple(results)] if results else Any  # noqa: UP007 - the members are only known here
