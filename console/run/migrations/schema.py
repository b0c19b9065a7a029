"""Which tables does the whole of Tieout keep, and what does the baseline say that creates them?"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine
from sqlmodel import AutoString

import alerts.tables
from console.run import tables
from metrics.tables import metadata

ROOMS = (alerts.tables, tables)
"""Imported so that their tables are part of the metadata."""

BASELINE = '''"""Creates every table there is. Written by `make baseline`; never edited by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = None


def upgrade() -> None:
    """Create the tables in an empty database."""
{code}
'''
REVISION = '''"""Which schema this Tieout reads: the revision of the baseline. Written by `make baseline`; never edited by hand."""

from __future__ import annotations

REVISION = "{revision}"
'''


def schema() -> MetaData:
    """Return the tables of every room."""
    return metadata


def baseline() -> tuple[str, str]:
    """Return the revision and the code of the migration that creates every table; another schema, another revision."""
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"render_item": _render, "target_metadata": metadata})
        operations = produce_migrations(context, metadata).upgrade_ops
    engine.dispose()
    assert operations is not None
    code = render_python_code(operations, render_item=_render, migration_context=context)
    code = "\n".join(line for line in code.splitlines() if "# ###" not in line)
    return blake2b(code.encode(), digest_size=6).hexdigest(), code


def _render(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Render SQLModel's text as the plain text it becomes, so that a migration hangs on SQLAlchemy alone."""
    return "sa.String()" if kind == "type" and isinstance(thing, AutoString) else False
