"""Run it: `SCALEKIT_MCP_SANDBOX=true python -m examples.web_app`, then open http://localhost:8000 ."""

import asyncio

import uvicorn

from examples.web_app.app import VERIFY_PATH, Application
from scalekit_mcp import load_settings, open_actions

PUBLIC_URL = "http://localhost:8000"


async def main() -> None:
    """Serve until Ctrl-C."""
    settings = load_settings(public_url=PUBLIC_URL, user_verification="url", user_verify_url=PUBLIC_URL + VERIFY_PATH)
    async with open_actions(settings) as actions:
        application = Application(actions, public_url=PUBLIC_URL, sandbox=settings.sandbox)
        await uvicorn.Server(uvicorn.Config(application.starlette(), port=8000)).serve()


if __name__ == "__main__":
    asyncio.run(main())
