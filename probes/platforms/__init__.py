"""Which vendors there are, and how a company's settings become platforms ready to be polled.

A vendor is found by its file: <vendor>.yaml here or in probes/logs/, with <vendor>.py beside it when data do not suffice. A file
that cannot be read stops everything, loudly.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import httpx

from .. import listing
from ..client import Client, ClientSpec
from ..clock import Clock
from ..connect import credential
from ..errors import ProbeError, Reason
from ..manifest import Manifest, StreamDescription, read_manifest
from ..mapping import compile_map
from ..mapspec import MapSpec
from ..platform import BoundPlatform, BoundStream
from ..probe import Platform, StreamSpec
from ..settings import PlatformSettings, StreamSettings, merged
from ..slots import MapContext
from ..source import Session, Source

HERE = Path(__file__).parent
FOLDERS = {HERE: "probes.platforms", HERE.parent / "logs": "probes.logs"}


@lru_cache(maxsize=1)
def vendors() -> Mapping[str, Manifest]:
    """Return every vendor found. Errors: ProbeError CONFIG for a broken or doubled description."""
    found: dict[str, Manifest] = {}
    for folder, package in FOLDERS.items():
        names = {p.stem for p in folder.glob("*.yaml")}
        for path in sorted(folder.glob("*.yaml")):
            if path.stem in found:
                raise ProbeError(Reason.CONFIG, f"the vendor {path.stem} is described twice")
            found[path.stem] = read_manifest(path)
        strays = {p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")} - names
        if strays:
            listed = ", ".join(sorted(strays))
            raise ProbeError(Reason.CONFIG, f"{package}: {listed} has code but no {listed}.yaml")
    return found


def load_platforms(
    settings: Mapping[str, PlatformSettings], *, clock: Clock, transport: httpx.BaseTransport | None = None
) -> dict[str, Platform]:
    """Return the platforms of a company, by name; nothing is asked of them yet. Errors: ProbeError CONFIG."""
    return {name: _platform(name, one, clock, transport) for name, one in settings.items()}


def _platform(
    name: str, settings: PlatformSettings, clock: Clock, transport: httpx.BaseTransport | None
) -> BoundPlatform:
    known = vendors()
    if settings.vendor not in known:
        listed = ", ".join(sorted(known))
        raise ProbeError(Reason.CONFIG, f"unknown vendor {settings.vendor!r}; there are {listed}", platform=name)
    manifest = known[settings.vendor]
    session = Session(name, settings, manifest, _client(name, settings, manifest, clock, transport), clock)
    hook = _hook(manifest)
    return BoundPlatform(session, hook, tuple(_streams(session, hook)))


def _client(
    name: str, settings: PlatformSettings, manifest: Manifest, clock: Clock, transport: httpx.BaseTransport | None
) -> Client:
    url = settings.url or manifest.url
    if not url:
        raise ProbeError(Reason.CONFIG, "`url` is missing", platform=name)
    if manifest.needs_time_zone and settings.time_zone is None:
        raise ProbeError(
            Reason.CONFIG, "`time_zone` is missing; this vendor writes times without a zone", platform=name
        )
    _check_options(name, settings, manifest)
    spec = ClientSpec(
        base_url=url,
        platform=name,
        deadline_seconds=settings.deadline or manifest.request_seconds,
        concurrency=manifest.concurrency,
        headers=manifest.headers,
        errors=manifest.errors.rules_of(),
        quota=manifest.quota.rules_of(),
    )
    return Client(spec, auth=credential(name, settings, manifest, clock), clock=clock, transport=transport)


def _check_options(name: str, settings: PlatformSettings, manifest: Manifest) -> None:
    """Refuse what nothing would heed. Errors: ProbeError CONFIG."""
    known = {*manifest.options, "link_url"}
    for option in settings.options:
        if option not in known:
            text = f"options.{option} is unknown; {manifest.vendor} takes {', '.join(sorted(known))}"
            raise ProbeError(Reason.CONFIG, text, platform=name)
    if settings.deadline is not None and (HERE.parent / "logs" / f"{manifest.vendor}.yaml").exists():
        text = f"`deadline` is the time of one HTTP request, and {manifest.vendor} makes none; remove it"
        raise ProbeError(Reason.CONFIG, text, platform=name)


def _hook(manifest: Manifest) -> ModuleType:
    for folder, package in FOLDERS.items():
        if (folder / f"{manifest.vendor}.py").exists():
            return importlib.import_module(f"{package}.{manifest.vendor}")
    return listing


def _streams(session: Session, hook: ModuleType) -> list[BoundStream]:
    settings, manifest = session.settings, session.manifest
    unknown = set(settings.streams) - set(manifest.streams)
    if unknown and not manifest.own_streams:
        listed = ", ".join(sorted(manifest.streams))
        raise session.error(Reason.CONFIG, f"unknown stream {sorted(unknown)[0]!r}; {manifest.vendor} has {listed}")
    bound = []
    for name in dict.fromkeys([*manifest.streams, *settings.streams]):
        own = settings.stream(name)
        described = manifest.streams.get(name)
        enabled = own.enabled if settings.streams.get(name) or described is None else described.enabled
        if enabled:
            bound.append(BoundStream(_source(session, name, described, own), hook))
    if not bound:
        raise session.error(Reason.CONFIG, "has no stream; name at least one under `streams:`")
    return bound


def _source(session: Session, name: str, described: StreamDescription | None, own: StreamSettings) -> Source:
    if described is None:
        if own.kind is None:
            raise session.error(Reason.CONFIG, "needs `kind:`", name)
        described = StreamDescription(kind=own.kind, sparse=True)
    described = described.model_copy(update={"source": {**described.source, **own.source}})
    if (delay := session.settings.visibility_delay) is not None:
        described = described.model_copy(update={"visibility_delay": delay})
    try:
        spec = merged(described.map, own)
    except ValueError as error:
        raise session.error(Reason.CONFIG, str(error), name) from None
    settings = session.settings
    context = MapContext(session.name, described.kind, settings.time_zone or "UTC", settings.entities, session.tables)
    mapper = compile_map(spec, context)
    params = {
        "map": spec,
        "id_path": spec.id.path[0] if spec.id.path else "",
        "key_paths": {key.by: key.path for key in spec.keys},
    }
    stream = _spec(name, described, own, mapper.fields, _finds(session.name, described, spec))
    return Source(session, name, described, own, stream, mapper, params)


def _finds(platform: str, described: StreamDescription, spec: MapSpec) -> tuple[tuple[str, str], ...]:
    """Return where a read by a reference's own field finds the records that name another: (field, key without its value)."""
    return tuple(
        (path, ref.to.replace("self/", f"{platform}/", 1) if ref.to.startswith("self/") else ref.to)
        for ref in spec.references
        for path in ([ref.path] if isinstance(ref.path, str) else list(ref.path))
        if path in described.reads_by
    )


def _spec(
    name: str,
    described: StreamDescription,
    own: StreamSettings,
    fields: tuple[str, ...],
    finds: tuple[tuple[str, str], ...],
) -> StreamSpec:
    return StreamSpec(
        name=name,
        kind=described.kind,
        covers=tuple(described.covers),
        uncovered=tuple(described.uncovered),
        visibility_delay_seconds=described.visibility_delay,
        overlap_seconds=described.overlap,
        interval_seconds=own.interval or described.interval,
        reads_by=tuple(described.reads_by),
        finds=finds,
        reread_seconds=described.reread,
        sweeps=described.sweeps,
        log=described.log,
        samples_only=described.samples_only,
        fields=fields,
    )
