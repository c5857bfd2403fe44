"""The browser of the documentation's tests: opens the link it is given and consents as a person of the sandbox."""

import sys

import anyio
import httpx2 as httpx

from scalekit_mcp.demo.browser import Browser, consent


async def main(link: str) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        await consent(Browser(http), link, "dana@company.com")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
