"""Does Tieout work against real third-party software? Drivers do business, tests compare with it."""
