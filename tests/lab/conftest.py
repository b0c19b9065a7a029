"""What does every lab test have at hand beyond the servers?"""

from .watching import connect

__all__ = ["connect"]
