"""`connect --paste` and `connect --device-code`: a person signs in on another machine."""

from __future__ import annotations

import re

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from scalekit_mcp.cli.connect_elsewhere import callback_query
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world.seed import NATIVE_CLIENT_ID
from tests.support.processes import command, environment
from tests.support.remote_process import free_port

DANA = "dana@company.com"


class Running:
    """The command in a process; what it says on stderr is read as it comes."""

    def __init__(self, process):
        self.process = process
        self._said = TextReceiveStream(process.stderr)
        self.text = ""

    async def until(self, pattern):
        while True:
            found = re.search(pattern, self.text)
            if found:
                return found
            self.text += await self._said.receive()

    async def type(self, line):
        await self.process.stdin.send(line.encode() + b"\n")

    async def end(self):
        """The exit status, stdout and the whole stderr."""
        out = "".join([text async for text in TextReceiveStream(self.process.stdout)])
        self.text += "".join([text async for text in self._said])
        await self.process.wait()
        assert "Traceback" not in self.text, self.text
        return self.process.returncode, out, self.text


async def started(home, *arguments, **values):
    return Running(
        await anyio.open_process(
            command("connect", "--identifier", "dana", *arguments), env=environment(home, **values)
        )
    )


async def sign_in(sandbox, address, person=DANA, *, accept=True):
    async with sandbox.browser(stop_at=("http://localhost:",)) as browser:
        return await browser.sign_in(address, person, accept=accept)


async def test_the_pasted_address_connects_the_account_and_nothing_listens(tmp_path):
    sandbox, port = Sandbox(), free_port()
    with anyio.fail_after(120):
        async with (
            sandbox.serve() as base_url,
            await started_closed(tmp_path, sandbox, base_url, "--paste", SCALEKIT_MCP_PORT=str(port)) as run,
        ):
            address = (await run.until(r"(http://127\S+/authorize\?\S+)"))[1]
            await run.until("Address")
            with pytest.raises(OSError, match=r"All connection attempts failed|refused"):
                await anyio.connect_tcp("127.0.0.1", port)
            await run.type(await sign_in(sandbox, address))
            status, out, said = await run.end()
    assert status == 0, said
    assert f"http://localhost:{port}/oauth/callback" in said
    assert "ACTIVE as dana@company.com" in out


def started_closed(home, sandbox, base_url, *arguments, **values):
    return closed(home, *arguments, **{**sandbox.environment(base_url), **values})


async def closed(home, *arguments, **values):
    running = await started(home, *arguments, **values)

    class Closing:
        async def __aenter__(self):
            return running

        async def __aexit__(self, *exc):
            if running.process.returncode is None:
                running.process.kill()
            await running.process.aclose()

    return Closing()


async def test_a_text_that_is_no_address_can_be_corrected_and_a_declined_consent_exits_1(tmp_path):
    sandbox = Sandbox()
    with anyio.fail_after(120):
        async with sandbox.serve() as base_url, await started_closed(tmp_path, sandbox, base_url, "--paste") as run:
            address = (await run.until(r"(http://127\S+/authorize\?\S+)"))[1]
            await run.type("what address?")
            await run.type(await sign_in(sandbox, address, accept=False))
            status, out, said = await run.end()
    assert status == 1
    assert "2 tries left" in out + said


async def test_an_address_of_another_sign_in_connects_nothing(tmp_path):
    sandbox = Sandbox()
    with anyio.fail_after(120):
        async with sandbox.serve() as base_url, await started_closed(tmp_path, sandbox, base_url, "--paste") as run:
            await run.until("Address")
            await run.type("http://localhost:8754/oauth/callback?code=stolen&state=of-somebody-else")
            status, out, said = await run.end()
    assert status == 1
    assert "ACTIVE" not in out
    assert "stolen" not in out + said


async def test_a_device_code_connects_a_public_client(tmp_path):
    sandbox = Sandbox()
    sandbox.world.switches.device_interval_seconds = 1
    public = {"MICROSOFT_CLIENT_ID": NATIVE_CLIENT_ID, "MICROSOFT_CLIENT_SECRET": ""}
    with anyio.fail_after(120):
        async with (
            sandbox.serve() as base_url,
            await started_closed(tmp_path, sandbox, base_url, "--device-code", **public) as run,
        ):
            code = (await run.until(r"enter the code\s+(\S+)\s"))[1]
            async with sandbox.browser() as browser:
                await browser.open(f"{base_url}/devicelogin")
                await browser.submit(browser.forms[0], user_code=code)
                await browser.press("confirm_device")
                await browser.press(DANA)
                await browser.press("accept")
            status, out, said = await run.end()
    assert status == 0, said
    assert "ACTIVE as dana@company.com" in out


async def test_a_device_code_with_a_secret_is_refused_before_anything_is_asked(tmp_path):
    sandbox = Sandbox()
    with anyio.fail_after(60):
        async with (
            sandbox.serve() as base_url,
            await started_closed(tmp_path, sandbox, base_url, "--device-code") as run,
        ):
            status, _, said = await run.end()
    assert status == 2
    assert "--paste" in said
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "http://localhost/oauth/callback",
        "http://x/?code=1",
        "http://x/?code=1&state=2&code=3",
        "http://[/?",
    ],
)
def test_what_is_no_callback_is_told_apart(text):
    assert callback_query(text) is None
