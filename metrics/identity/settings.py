"""What a company has configured about who is who: keys that join, words that say nothing, fields that are compared.

Frozen values, checked by themselves when read; whether two records are one customer is not decided here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from metrics.normalise import NORMALISERS, fold


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed)]
Normaliser = Literal["text", "code", "name", "address", "phone", "email", "domain", "vat", "country"]


class Key(_Strict):
    """Attributes that together name one legal entity: records in which all of them are equal in a form are one customer."""

    fields: Annotated[Words, Field(min_length=1)]
    form: Normaliser = "code"

    @property
    def name(self) -> str:
        """Return what the key is called in evidence and findings."""
        return "+".join(self.fields)


class Compared(_Strict):
    """What suggestions compare of two records, and how.

    spelling: near spellings count; digits: one or two slips count; exact; place: street, postal code and city together, for who
    moves changes all three. `swaps_with`: a field its value is sometimes written in, as given names and surnames are.
    """

    field: Word
    how: Literal["spelling", "digits", "exact", "place"] = "spelling"
    near: tuple[Word, ...] = ()
    swaps_with: Word | None = None

    @model_validator(mode="after")
    def _whole(self) -> Compared:
        if (self.how == "place") != (len(self.near) == 2):
            raise ValueError(
                "how: place compares a street with `near: [POSTAL CODE FIELD, CITY FIELD]`, and only it has `near`"
            )
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """Return every field that is read."""
        return (self.field, *self.near, *((self.swaps_with,) if self.swaps_with else ()))


class Block(_Strict):
    """Attributes of which pairs must share the beginning to be compared at all: `name:4` takes four characters, `name` all."""

    parts: tuple[tuple[Word, int | None], ...]

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if not isinstance(value, str | list | tuple):
            return value
        parts = []
        for word in _listed(value):
            name, colon, length = str(word).partition(":")
            if colon and (not length.isdigit() or int(length) < 1):
                raise ValueError(f"{word!r}: write an attribute, or with its first characters as in name:4")
            parts.append((name, int(length) if colon else None))
        return {"parts": parts}


_FIELDS: dict[str, Normaliser] = {
    "name": "name", "street": "address", "postal_code": "code", "city": "text", "country": "country", "email_domain": "domain",
    "phone": "phone", "tax_id": "vat",
}  # fmt: skip
_COMPARE = (
    {"field": "name"}, {"field": "street", "how": "place", "near": ("postal_code", "city")}, {"field": "country", "how": "exact"},
    {"field": "email_domain"}, {"field": "phone", "how": "digits"}, {"field": "tax_id", "how": "digits"},
)  # fmt: skip
_BLOCKS = (
    ["name"], ["name:5", "city:4"], ["name:4", "postal_code:3"], ["street:6", "postal_code"], ["street", "postal_code"],
    ["email_domain"], ["phone"], ["tax_id"],
)  # fmt: skip


class Suggesting(_Strict):
    """What is compared for suggestions, which pairs are looked at, and from which probability on one is shown.

    `fields`: attribute → the form in which it is compared. A block that more records share than `block_most` tells nobody apart
    and is passed over.
    """

    fields: dict[Word, Normaliser] = _FIELDS
    compare: Annotated[tuple[Compared, ...], Field(min_length=2)] = tuple(Compared.model_validate(c) for c in _COMPARE)
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)] = tuple(Block.model_validate(b) for b in _BLOCKS)
    block_most: int = Field(default=200, ge=2)
    probability: float = Field(default=0.8, gt=0, lt=1)

    @model_validator(mode="after")
    def _known(self) -> Suggesting:
        names = [c.field for c in self.compare]
        if len(set(names)) != len(names):
            raise ValueError("compare names a field twice")
        asked = {f for c in self.compare for f in c.fields} | {part[0] for block in self.blocks for part in block.parts}
        unknown = sorted(asked - set(self.fields))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not among the fields: {', '.join(self.fields)}")
        return self

    @property
    def compares(self) -> str:
        """Return what a model is trained for: fields and comparisons, as one text."""
        return self.model_dump_json(include={"fields", "compare"})


class IdentitySettings(_Strict):
    """The `identity:` section. `shared_by`: a value on more records of one platform than this is no key."""

    keys: tuple[Key, ...] = (Key(fields=("tax_id",), form="vat"),)
    shared_by: int = Field(default=5, ge=1)
    null_words: tuple[str, ...] = ()
    suggest: Suggesting = Suggesting()

    @model_validator(mode="after")
    def _named_once(self) -> IdentitySettings:
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            raise ValueError("identity.keys names the same attributes twice")
        return self

    @property
    def folded_null_words(self) -> frozenset[str]:
        """Return the company's own null words as values are compared with them."""
        return frozenset(fold(word) for word in self.null_words)


assert set(NORMALISERS) == set(Normaliser.__args__)  # type: ignore[attr-defined] # the settings name every normaliser
