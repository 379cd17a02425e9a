"""The tenant in scope: set for a block of work, told to Postgres, and never two at once."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

_current: ContextVar[int | None] = ContextVar("tenant_id", default=None)


class NoTenant(RuntimeError):
    """Tenant data was asked for outside a tenant's scope."""


class WrongTenant(RuntimeError):
    """One tenant's data was touched in another tenant's scope."""


def current_tenant_id() -> int:
    """The tenant in scope; NoTenant outside one."""
    tenant_id = _current.get()
    if tenant_id is None:
        raise NoTenant("No tenant in scope: enter tenant_context(tenant_id) first.")
    return tenant_id


def tenant_in_scope() -> int | None:
    """The tenant in scope, or None: for logs, which may be written anywhere."""
    return _current.get()


@contextmanager
def tenant_context(tenant_id: int) -> Generator[None]:
    """One transaction in one tenant's scope.

    Both locks are set: the managers' (a context variable) and Postgres' (a setting local to the transaction). Inside,
    the same tenant nests as a savepoint; another tenant raises WrongTenant, because a nested setting would outlive
    its block.
    """
    outer = _current.get()
    if outer is not None and outer != tenant_id:
        raise WrongTenant(f"Tenant {outer} is in scope; tenant {tenant_id} cannot be entered inside it.")
    if outer is not None:
        with transaction.atomic():
            yield
        return
    nested = connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
        token = _current.set(tenant_id)
        try:
            yield
        finally:
            _current.reset(token)
        if nested:  # the caller's transaction goes on, the setting must not; an exception rolls it back by itself
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('app.tenant_id', '', true)")


@contextmanager
def outside_scope() -> Generator[None]:
    """Step out of the scope for a block, as making another tenant from within one's own has to; then it goes on."""
    outer = _current.get()
    if outer is None:
        yield
        return
    with transaction.atomic():  # an exception rolls the setting back with all else
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant_id', '', true)")
        token = _current.set(None)
        try:
            yield
        finally:
            _current.reset(token)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(outer)])


def scoped_stream(tenant_id: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A streaming body that re-enters its tenant's scope while it is read, after the view has returned."""
    with tenant_context(tenant_id):
        yield from chunks
