"""How does chance enter the sandbox company? Named streams, delays and dirt; every draw follows from the seed."""

import hashlib
import math
import random
from datetime import date
from zoneinfo import ZoneInfo

from probes.sandbox.clock import HOUR_US, MINUTE_US, SECOND_US, local_us, to_instant

FLUSH_US = 15 * MINUTE_US
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_HOURS = (9, 9, 10, 10, 10, 11, 11, 11, 12, 13, 14, 14, 14, 15, 15, 15, 16, 16, 17, 17, 18, 20, 22, 7, 8)


def stream(seed: int, *key: object) -> random.Random:
    """Return the generator of one named process, so that one more event elsewhere changes nothing here."""
    return random.Random("/".join(str(part) for part in (seed, *key)))  # str seeds hash the same in every process


def heavy_us(rng: random.Random, median_seconds: float, cap_seconds: float, sigma: float = 1.0) -> int:
    """Draw a heavy-tailed delay that stays strictly within its cap.

    Units: microseconds.
    """
    seconds = rng.lognormvariate(math.log(median_seconds), sigma)
    if seconds > cap_seconds:  # fold the far tail back instead of piling it up at the cap
        seconds = rng.uniform(median_seconds, cap_seconds)
    return int(seconds * SECOND_US)


def flush_us(ready_us: int, rng: random.Random) -> int:
    """Return when the integration runtime, which flushes every 15 minutes, has written what was ready by then."""
    boundary = (ready_us // FLUSH_US + 1) * FLUSH_US
    return boundary + int(rng.uniform(2, 50) * SECOND_US)


def slowed_us(start_us: int, delay_us: int, cap_seconds: float, zone: str) -> int:
    """Stretch a delay at night and on weekends, still within its cap."""
    local = to_instant(start_us).astimezone(ZoneInfo(zone))
    quiet = local.weekday() >= 5 or local.hour < 6 or local.hour >= 22
    return min(delay_us * 2 if quiet else delay_us, int(cap_seconds * SECOND_US))


def office_moment_us(rng: random.Random, day: date, zone: str) -> int:
    """Draw an instant of a local day, mostly in office hours."""
    return local_us(day, zone, rng.choice(_HOURS)) + int(rng.random() * HOUR_US)


def salesforce_id(prefix: str, number: int) -> str:
    """Make an 18-character Salesforce id whose last three characters carry the case of the first fifteen."""
    body = prefix + "Nw0" + base62(number * 7_919_317 + 62**8, 9)
    return long_id(body)


def long_id(body: str) -> str:
    """Append to a 15-character id the three characters that carry the case of the others."""
    suffix = ""
    for k in (0, 5, 10):
        a, b, c, d, e = tuple(body[k : k + 5])
        suffix += _SUFFIX[a.isupper() + 2 * b.isupper() + 4 * c.isupper() + 8 * d.isupper() + 16 * e.isupper()]
    return body + suffix


def base62(number: int, width: int) -> str:
    """Write a number in base 62, left-padded."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(width, "0")[-width:]


def stripe_id(prefix: str, *key: object) -> str:
    """Make a Stripe-like id from a key."""
    digest = hashlib.sha256("/".join(str(part) for part in key).encode()).digest()
    return f"{prefix}_1{base62(int.from_bytes(digest[:12], 'big'), 15)}"


def dirty_salesforce_id(rng: random.Random, value: str) -> str:
    """Write a Salesforce id the way careless integrations do: spaces, other case, the 15-character form."""
    return rng.choice((f" {value}", f"{value}  ", value[:15], value.lower(), value.upper(), f"  {value[:15]} "))


def dirty_text(rng: random.Random, value: str) -> str:
    """Write a key carelessly: spaces around it, other case, leading zeros."""
    return rng.choice(
        (f" {value}", f"{value}   ", value.lower(), value.upper(), f"{value}\t", value.rjust(len(value) + 4, "0"))
    )
