"""How does Alembic reach the store? Run by Alembic itself, for `alembic upgrade head`, with `--sql` only to read what it would do."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine

from console.run.migrations.schema import schema
from console.run.settings import load_settings

if context.is_offline_mode():
    dialect = context.get_x_argument(as_dictionary=True).get("dialect", "postgresql")
    context.configure(dialect_name=dialect, target_metadata=schema(), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(load_settings().store_url, poolclass=NullPool).begin() as connection:
        context.configure(connection=connection, target_metadata=schema())
        context.run_migrations()
