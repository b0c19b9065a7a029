"""What do the tests of the whole share? One signing key, and worlds that live as long as a module."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@pytest.fixture(scope="session")
def signing_key() -> bytes:
    """Give one key of the ERP's client for all worlds; making one takes longer than a day of the company."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
