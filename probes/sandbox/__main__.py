"""How is the sandbox started from a shell? Arguments to a running server; no simulation."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from probes.sandbox.clock import Clock, wall_clock
from probes.sandbox.company import Company
from probes.sandbox.faults import plan_demo
from probes.sandbox.serve import serve


def main() -> None:
    """Run the company until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m probes.sandbox", description="A simulated company behind vendor-shaped APIs."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=28300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--history-days", type=int, default=30)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds per real second; 0 stops the clock")
    parser.add_argument("--start-at", type=datetime.fromisoformat, default=None, help="ISO 8601 with zone; default now")
    parser.add_argument("--calm", action="store_true", help="inject nothing")
    parser.add_argument("--data-dir", type=Path, default=Path("sandbox-data"))
    given = parser.parse_args()
    start_at = given.start_at or datetime.now(UTC)
    company = Company(given.seed, start_at, given.history_days, given.scale, given.data_dir)
    if not given.calm:
        plan_demo(company.world, company.start_us)
    company.run_history()
    real_time = given.start_at is None and given.speed == 1.0
    clock = wall_clock() if real_time else Clock(company.start_us, given.speed)
    running = serve(company, given.host, given.port, clock)
    print(f"sandbox ready at {running.base_url}", flush=True)  # noqa: T201 - the one line its starter waits for
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        running.stop()


if __name__ == "__main__":
    main()
