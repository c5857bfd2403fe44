"""Print mcp.json.example with the absolute path of this environment's command."""

import json
import sys
from pathlib import Path

root = Path(__file__).parent.parent
config = json.loads((root / "mcp.json.example").read_text("utf-8"))
for server in config["mcpServers"].values():
    name = server["command"] + (".exe" if sys.platform == "win32" else "")
    server["command"] = str(Path(sys.executable).parent / name)
print(json.dumps(config, indent=2))
