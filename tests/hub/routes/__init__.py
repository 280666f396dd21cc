"""What the Hub answers, by topic; importing this fills the table of routes."""

from __future__ import annotations

from hub.routes import accounts, commits, discussions, files, large_files, repos, spaces

# The order counts: /api/spaces/hardware is no repo.
ALL = (accounts, spaces, repos, files, commits, large_files, discussions)
