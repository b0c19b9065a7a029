"""How much of what truly goes wrong in the sandbox company is found, how soon, and what is said that is not true?

The company lives in virtual time in this process, Tieout watches it through the platforms' own APIs, and only when all is
over is the company's journal read and compared with what was said. Nothing here is known to any other room.
"""
