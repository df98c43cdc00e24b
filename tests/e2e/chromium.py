"""A real Chromium without a window, driven over the pipe of its DevTools protocol.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def watch_console(self) -> None:
        """From now on keep what the browser complains of: see `complaints`."""
        for method in ("Runtime.enable", "Log.enable"):
            self._browser.ask(method, {}, self._session)

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the page's scripts and of the browser about the page."""
        found = []
        for event in self._browser.events:
            told = event.get("params", {})
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(told["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and told["type"] != "log":
                found.append(json.dumps(told["args"]))
            elif event["method"] == "Log.entryAdded":
                found.append(json.dumps(told["entry"]))
        return found

    def show_as(self, width: int, height: int, scheme: str) -> None:
        """Look at it in a window of that size, and in `dark` or `light`."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._browser.ask("Emulation.setDeviceMetricsOverride", size, self._session)
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._browser.ask("Emulation.setEmulatedMedia", features, self._session)

    def take_picture(self, path: Path) -> None:
        """Save all of the page as a PNG."""
        whole = {"format": "png", "captureBeyondViewport": True}
        answer = self._browser.ask("Page.captureScreenshot", whole, self._session)
        path.write_bytes(base64.b64decode(answer["data"]))

    def press(self, key: str) -> None:
        """Press a key: ArrowLeft, Escape, Tab, Enter."""
        code = {
            "Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "ArrowLeft": 37, "ArrowRight": 39,
            "ArrowDown": 40,
        }[key]  # fmt: skip
        what = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self._browser.ask(
                "Input.dispatchKeyEvent", {"type": kind, **what, **text}, self._session
            )

    def type(self, text: str) -> None:
        """Write into the field that has the focus."""
        self._browser.ask("Input.insertText", {"text": text}, self._session)

    def ask(self, method: str, **what: Any) -> dict[str, Any]:
        """The answer to a command of the protocol that is about this tab."""
        return self._browser.ask(method, what, self._session)

    def bring_to_front(self) -> None:
        """Look at it again, after another tab was opened."""
        self._browser.ask("Page.bringToFront", {}, self._session)

    def use_mouse(self, *steps: tuple[str, float, float], clicks: int = 1) -> None:
        """Move, press and release the left button at places of the window, in pixels."""
        for step, x, y in steps:
            kind = {"move": "mouseMoved", "press": "mousePressed", "release": "mouseReleased"}[step]
            held = {"button": "left", "buttons": 1} if step != "release" else {"button": "left"}
            what = {"type": kind, "x": x, "y": y, "clickCount": clicks, **held}
            self._browser.ask("Input.dispatchMouseEvent", what, self._session)

    def watch_network(self) -> None:
        """From now on keep what the page asks for: see `asked_for`."""
        self._browser.ask("Network.enable", {}, self._session)

    @property
    def asked_for(self) -> list[str]:
        """The URLs that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session
            and event["method"] == "Network.requestWillBeSent"
        ]

    def show_without_scripts(self) -> None:
        """Run none of the scripts of the pages that are opened next."""
        what = {"value": True}
        self._browser.ask("Emulation.setScriptExecutionDisabled", what, self._session)

    def show_printed(self) -> None:
        """Look at it as a printer does."""
        self._browser.ask("Emulation.setEmulatedMedia", {"media": "print"}, self._session)

    def open(self, url: str) -> None:
        """Begin to load a page."""
        self._browser.ask("Page.navigate", {"url": url}, self._session)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited; None while there is none.

        What it does is done as by a person, who may open another tab.
        """
        asked = {
            "expression": expression,
            "awaitPromise": True,
            "returnByValue": True,
            "userGesture": True,
        }
        answer = self._browser.ask("Runtime.evaluate", asked, self._session)
        return answer.get("result", {}).get("value")

    @property
    def text(self) -> str:
        """What stands on the page."""
        return str(self.evaluate("document.body && document.body.innerText") or "")

    def click(self, label: str) -> bool:
        """Press the button with this label; whether there is one."""
        button = f"[...document.querySelectorAll('button')].find(b => b.innerText == {label!r})"
        return bool(self.evaluate(f"(b => b && (b.click(), true))({button})"))


class Browser:
    """A Chromium, by its pipe."""

    def __init__(self, ask: int, hear: int, pid: int) -> None:
        self.pid = pid
        self._ask = os.fdopen(ask, "wb", buffering=0)
        self._hear = os.fdopen(hear, "rb")
        self._numbers = itertools.count(1)
        self._heard = b""
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, what: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """The answer to a command."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": what}
        self._ask.write(json.dumps(command | ({"sessionId": session} if session else {})).encode())
        self._ask.write(b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        return dict(answer.get("result", {}))

    def page(self) -> Page:
        """A new tab."""
        return self.attached(self.ask("Target.createTarget", {"url": "about:blank"})["targetId"])

    def attached(self, target: str) -> Page:
        """A tab that somebody has opened."""
        attach = {"targetId": target, "flatten": True}
        return Page(self, self.ask("Target.attachToTarget", attach)["sessionId"])

    def close(self) -> None:
        """Let the pipe go."""
        self._ask.close()
        self._hear.close()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            part = os.read(self._hear.fileno(), 65536)
            if not part:
                raise EOFError("Chromium has gone")
            self._heard += part
        message, _, self._heard = self._heard.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A Chromium with a profile in `folder`; every name but this machine's leads to 127.0.0.1."""
    assert PROGRAM
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-timer-throttling",
        "--disable-renderer-backgrounding",
        "--window-size=1600,1000",
        "--host-resolver-rules=MAP * 127.0.0.1",
        f"--user-data-dir={folder}",
        "--remote-debugging-pipe",
    ]
    # It reads from descriptor 3 and writes to 4.
    pipes = f'exec {PROGRAM} "$@" 3<&{their_in} 4>&{their_out}'
    process = subprocess.Popen(
        ["bash", "-c", pipes, "chromium", *arguments],
        pass_fds=(their_in, their_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    os.close(their_in)
    os.close(their_out)
    browser = Browser(our_out, our_in, process.pid)
    try:
        yield browser
        browser.ask("Browser.close", {})
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait(timeout=20)
        browser.close()
