"""The roles that operators have changed: what stands here takes the place of what the code of workers says."""

from __future__ import annotations

from jobbers.core.names import check_name
from jobbers.core.roles import Role, read_role
from jobbers.errors import InvalidName, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys
from jobbers.store.wire import ReplyError


class RoleStore:
    """Roles of a namespace. Every change is told on a channel, so that workers look at once."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._keys = keys

    async def all(self) -> dict[str, Role]:
        """The roles that were changed. What cannot be read is left out, as if it had not been."""
        (reply,) = await self._gateway.commands([("HGETALL", self._keys.roles)])
        pairs = reply if isinstance(reply, list) else []
        roles = {}
        for name, text in zip(pairs[::2], pairs[1::2], strict=True):
            try:
                role = read_role(text)
                if role is not None:
                    roles[check_name(name.decode(errors="replace"), "the role")] = role
            except InvalidName:
                continue
        return roles

    async def get(self, name: str, patience: float | None = None) -> Role | None:
        """A role as it was changed; ``None`` when the code is right, also where garbage lies in the place of the roles."""
        try:
            text = await self._gateway.command("HGET", self._keys.roles, name, patience=patience)
        except StoreError as error:
            if "WRONGTYPE" in str(error):
                return None
            raise
        return read_role(text) if isinstance(text, bytes) else None

    async def put(self, name: str, role: Role) -> None:
        """Change a role, also on a server at its memory limit."""
        await self._change("HSET", name, role.stored())

    async def reset(self, name: str) -> None:
        """Let the code say again what a role is."""
        await self._change("HDEL", name)

    async def _change(self, command: str, *words: str) -> None:
        key = self._keys.roles
        replies = await self._gateway.essential(
            self._keys.prefix, [(command, key, *words), ("PUBLISH", key, words[0])]
        )
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise StoreError(f"the roles in {key} cannot be changed: {reply}")
