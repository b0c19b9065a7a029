"""What can be typed after `tieout`? Gathers the commands of `console/run/commands`: one file each, one function of its name.

A command whose first parameter is a Question gets the shared options.

Exit codes: 0 fine, 1 a finding (an SLO is missed, a check failed), 2 wrong usage or configuration.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from metrics.queries.pages import CursorError

from . import commands
from .cycle import fault_text
from .logs import hush
from .question import WrongInput, answering, asks
from .yaml_source import ConfigError

app = typer.Typer(
    name="tieout",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watches business flows across CRM, billing, support and ERP, and tells where they are stuck.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tieout {metadata.version('tieout')}")
        raise typer.Exit


@app.callback()
def _globals(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Configuration file; else $TIEOUT_CONFIG, tieout.yaml.")] = None,
    store: Annotated[str | None, typer.Option(help="Store URL instead of the configured one.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    ctx.obj = (config, store)


for found in sorted(iter_modules(commands.__path__), key=lambda m: m.name):
    # A file without a function of its own name is a mistake: the AttributeError names it.
    command = getattr(import_module(f"{commands.__name__}.{found.name}"), found.name)
    app.command(found.name)(answering(command) if asks(command) else command)


def main() -> None:
    """Run the command line; people's mistakes become one paragraph and exit code 2, never a traceback."""
    hush()
    try:
        app()
    except (ConfigError, WrongInput, CursorError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except SQLAlchemyError as error:
        sys.stderr.write(f"the store cannot be used: {fault_text(error)}. Check `store:` or --store, then try again.\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our pipe has gone, for example `head`; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
