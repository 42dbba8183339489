"""A task function's parameters: bind and check at submit, check again and rebuild at the worker.

Annotations are the schema. Plain builtins are checked by hand, which costs little on the hot path; everything else
goes through pydantic: strictly for Python callers, who hold the real objects, and leniently for what comes off the
wire or out of JSON, where a datetime may be text and a model a map.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from jobbers.core.results import is_results
from jobbers.errors import ConfigError, InvalidArgument

_PLAIN: dict[Any, tuple[type, ...]] = {
    int: (int,),
    str: (str,),
    float: (float, int),
    bool: (bool,),
    bytes: (bytes,),
    list: (list,),
    dict: (dict,),
    type(None): (type(None),),
    None: (type(None),),
}
_OPEN = (Any, object, inspect.Parameter.empty)


class Checker:
    """Checks and rebuilds the values of one annotation."""

    __slots__ = ("_adapter", "_open", "_plain", "_refuse_bool")

    def __init__(self, annotation: Any) -> None:
        self._open = annotation in _OPEN or is_results(annotation)
        self._plain = _PLAIN.get(annotation) if isinstance(annotation, type | None) else None
        self._refuse_bool = annotation in (int, float)
        self._adapter: TypeAdapter[Any] | None = None
        if not self._open and self._plain is None:
            schema: Any = annotation
            self._adapter = TypeAdapter(schema)

    def check(self, value: Any) -> None:
        """Refuse a Python caller's value of the wrong type. Raises ``TypeError`` or pydantic's ``ValidationError``."""
        if self._adapter is not None:
            self._adapter.validate_python(value, strict=True)
        elif not self._fits(value):
            raise TypeError(f"a {type(value).__name__} is not {self.schema_name}")

    def load(self, value: Any) -> Any:
        """Rebuild a value that came off the wire. Raises like :meth:`check`."""
        if self._adapter is not None:
            return self._adapter.validate_python(value)
        if not self._fits(value):
            raise TypeError(f"a {type(value).__name__} is not {self.schema_name}")
        return value

    def _fits(self, value: Any) -> bool:
        if self._plain is None:
            return True
        return isinstance(value, self._plain) and not (self._refuse_bool and isinstance(value, bool))

    @property
    def schema_name(self) -> str:
        """What is expected, for a message."""
        return f"a {self._plain[0].__name__}" if self._plain else "of the annotated type"

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Pydantic's view of the annotation."""
        plain: Any = self._plain[0] if self._plain else Any
        return self._adapter or TypeAdapter(plain)


class Parameter(NamedTuple):
    """One parameter that has a name of its own."""

    name: str
    checker: Checker
    required: bool
    positional: bool
    keyword: bool


class Signature:
    """The parameters and the return type of one task function; resolved when first used, so that annotations may
    name what is defined further down in the module."""

    def __init__(self, function: Callable[..., Any], task_type: str) -> None:
        self._function = function
        self._task_type = task_type

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return self._annotated()

    def _annotated(self) -> dict[str, Any]:
        try:
            return get_type_hints(self._function, include_extras=True)
        except NameError as error:
            raise ConfigError(
                f"task {self._task_type!r} has an annotation that cannot be resolved: {error}; "
                "define or import that name at the top level of the module"
            ) from None

    def _checker(self, name: str) -> Checker:
        annotation = self._hints.get(name, Any)
        try:
            return Checker(annotation)
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
            raise ConfigError(
                f"parameter {name!r} of task {self._task_type!r} is annotated {annotation!r}, which cannot travel: use "
                "msgpack types, datetime, UUID, Decimal, Enum, dataclasses or pydantic models"
            ) from None

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The named parameters in order."""
        kinds = inspect.Parameter
        return [
            Parameter(
                name=parameter.name,
                checker=self._checker(parameter.name),
                required=parameter.default is kinds.empty,
                positional=parameter.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD),
                keyword=parameter.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD),
            )
            for parameter in inspect.signature(self._function).parameters.values()
            if parameter.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        ]

    @cached_property
    def _positional(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.positional]

    @cached_property
    def _by_keyword(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters if parameter.keyword}

    def _variadic(self, kind: Any) -> Checker | None:
        for parameter in inspect.signature(self._function).parameters.values():
            if parameter.kind is kind:
                return self._checker(parameter.name)
        return None

    @cached_property
    def _rest(self) -> Checker | None:
        return self._variadic(inspect.Parameter.VAR_POSITIONAL)

    @cached_property
    def _keyword_rest(self) -> Checker | None:
        return self._variadic(inspect.Parameter.VAR_KEYWORD)

    @cached_property
    def result(self) -> Checker:
        """The checker of the return annotation."""
        return self._checker("return")

    def bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that have been checked, by parameter, defaults included."""
        bound = inspect.signature(self._function).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Like :meth:`bound`; what the function takes as ``**kwargs`` is there by its own names, too."""
        return {**kwargs, **self.bound(args, kwargs)}

    def edited(
        self,
        before: tuple[Sequence[Any], Mapping[str, Any]],
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of an earlier call with others in their place where these are given. What is not given stays, but
        for what is given in the other way: by name what was positional, or by position what was named."""
        named = dict(before[1] if kwargs is None else kwargs)
        listed = list(before[0] if args is None else args)
        names = [parameter.name for parameter in self._positional[: len(listed)]]
        if args is not None and kwargs is None:
            return listed, {name: value for name, value in named.items() if name not in names}
        first = next((place for place, name in enumerate(names) if name in named), None)
        if args is None and first is not None and len(names) == len(listed):
            for name, value in zip(names[first:], listed[first:], strict=True):
                named.setdefault(name, value)
            listed = listed[:first]
        return listed, named

    def accepts(self, name: str) -> bool:
        """Whether an argument of this name can be given."""
        return self._keyword_rest is not None or any(it.name == name for it in self.parameters)

    def annotation(self, name: str) -> Any:
        """What a parameter is annotated, or ``"return"``; ``Any`` where there is nothing."""
        return self._hints.get(name, Any)

    def check(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, pending: Callable[[Any], bool] | None = None
    ) -> list[tuple[str, Any]]:
        """Refuse a Python call that the function would refuse. Raises :class:`InvalidArgument` naming the parameter.

        Values that are ``pending`` are not known yet: they are returned, each behind the name of its parameter.
        """
        left: list[tuple[str, Any]] = []
        for name, checker, value in self._pair(args, kwargs):
            if pending is not None and pending(value):
                left.append((name, value))
                continue
            try:
                checker.check(value)
            except (TypeError, ValidationError) as error:
                raise self._refusal(name, error) from None
        return left

    def load(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Rebuild arguments that came off the wire. Raises :class:`InvalidArgument` naming the parameter."""
        loaded: list[Any] = []
        named: dict[str, Any] = {}
        for index, (name, checker, value) in enumerate(self._pair(args, kwargs)):
            try:
                rebuilt = checker.load(value)
            except (TypeError, ValidationError) as error:
                raise self._refusal(name, error) from None
            if index < len(args):
                loaded.append(rebuilt)
            else:
                named[name] = rebuilt
        return loaded, named

    def json_schema(self) -> dict[str, Any]:
        """A JSON schema of the keyword arguments. Parameters whose type has none, such as a callable, take anything."""
        properties: dict[str, Any] = {}
        definitions: dict[str, Any] = {}
        for parameter in self.parameters:
            try:
                schema = parameter.checker.adapter.json_schema()
            except PydanticInvalidForJsonSchema:
                schema = {}
            definitions |= schema.pop("$defs", {})
            properties[parameter.name] = schema
        required = [parameter.name for parameter in self.parameters if parameter.required]
        schema = {"type": "object", "properties": properties, "required": required}
        return schema | ({"$defs": definitions} if definitions else {})

    def _pair(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Checker, Any]]:
        """Each value beside its parameter's name and checker: first all of ``args``, then all of ``kwargs``."""
        if not args and not kwargs and not self._required:
            return ()
        pairs: list[tuple[str, Checker, Any]] = []
        positional = self._positional
        given = set()
        for index, value in enumerate(args):
            if index < len(positional):
                parameter = positional[index]
                given.add(parameter.name)
                pairs.append((parameter.name, parameter.checker, value))
            elif self._rest is not None:
                pairs.append((f"args[{index}]", self._rest, value))
            else:
                raise self._misuse(f"takes at most {len(positional)} positional arguments, got {len(args)}")
        for name, value in kwargs.items():
            named = self._by_keyword.get(name)
            if named is not None and name in given:
                raise self._misuse(f"got argument {name!r} twice", name)
            if named is not None:
                given.add(name)
                pairs.append((name, named.checker, value))
            elif self._keyword_rest is not None:
                pairs.append((name, self._keyword_rest, value))
            else:
                known = ", ".join(self._by_keyword) or "none"
                raise self._misuse(f"has no parameter {name!r} (it has: {known})", name)
        missing = self._required - given
        if missing:
            first = next(parameter.name for parameter in self.parameters if parameter.name in missing)
            raise self._misuse(f"misses argument {first!r}", first)
        return pairs

    @cached_property
    def _required(self) -> set[str]:
        return {parameter.name for parameter in self.parameters if parameter.required}

    def _misuse(self, message: str, parameter: str | None = None) -> InvalidArgument:
        return InvalidArgument(f"task {self._task_type!r} {message}", parameter)

    def _refusal(self, name: str, error: TypeError | ValidationError) -> InvalidArgument:
        """Say what is wrong without showing the value, which may be a secret."""
        where, what = name, str(error)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join([name, *(str(part) for part in first["loc"])])
            what = first["msg"]
        return InvalidArgument(f"argument {where!r} of task {self._task_type!r}: {what}", name)
