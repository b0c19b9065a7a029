"""Which credential a platform's `auth:` makes: checks the keys a vendor asks for and fetches secrets from where they are kept."""

from __future__ import annotations

from .auth import Auth, NoAuth, TokenAuth, basic_auth, client_credentials, header_auth, jwt_assertion
from .clock import Clock
from .errors import ProbeError, Reason
from .manifest import AUTH_FIELDS, Manifest
from .settings import PlatformSettings, secret


def credential(name: str, settings: PlatformSettings, manifest: Manifest, clock: Clock) -> Auth:
    """Return the credential of a platform. Errors: ProbeError CONFIG naming the key that is missing or unknown."""
    spec, values = manifest.auth, _values(name, settings, manifest)
    if spec.kind == "basic":
        return basic_auth(values["user"], values["password"])
    if spec.kind == "header":
        return header_auth(spec.header, values["key"], spec.scheme)
    if spec.kind == "oauth2":
        path = values.get("token_path", spec.token_path)
        grant = client_credentials(
            path, values["client_id"], values["client_secret"], send_as=spec.send_as, scope=spec.scope
        )
        return TokenAuth(grant)
    if spec.kind == "jwt":
        return TokenAuth(
            jwt_assertion(
                spec.token_path,
                values["client_id"],
                values["private_key"],
                certificate_id=values["certificate_id"],
                alg=values.get("alg", spec.alg),
                scope=spec.scope or "",
                clock=clock,
            )
        )
    return NoAuth()


def _values(name: str, settings: PlatformSettings, manifest: Manifest) -> dict[str, str]:
    needed = AUTH_FIELDS[manifest.auth.kind]
    allowed = {*needed, *(("alg",) if manifest.auth.kind == "jwt" else ())}
    given = dict(settings.auth)
    unknown = sorted(set(given) - allowed)
    if unknown:
        wanted = ", ".join(needed) or "nothing"
        raise ProbeError(
            Reason.CONFIG, f"auth.{unknown[0]} is unknown; {manifest.vendor} takes {wanted}", platform=name
        )
    missing = [field for field in needed if field not in given]
    if missing:
        raise ProbeError(Reason.CONFIG, f"auth.{missing[0]} is missing", platform=name)
    return {field: secret(value, field, name) for field, value in given.items()}
