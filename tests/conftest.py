"""What holds for every test: one hypothesis profile.

The speed of a machine is not what these tests are about, so an example may take its time. The same examples are drawn
everywhere, so that what is red for one is red for all; `--hypothesis-seed=random` draws others.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "scalekit_mcp",
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("scalekit_mcp")
