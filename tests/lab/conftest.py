"""What does every lab test have at hand beyond the servers?"""

from .company import company
from .watching import connect

__all__ = ["company", "connect"]
