"""Runs a page in Chromium and hands back what a script finds there; skipped where there is no Chromium."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")

_REPORT = """<script>
const faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => faults.push(`wanted ${event.blockedURI}`));
addEventListener("load", async () => {
  let found = null;
  try {
    for (let i = 0; i < 200 && document.body.dataset.ready !== "yes" && !faults.length; i++) {
      if (!document.getElementById("clip")) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    found = await (async () => { SCRIPT })();
  } catch (error) {
    faults.push(String(error));
  }
  fetch("ADDRESS", { method: "POST", mode: "no-cors", body: JSON.stringify({ found, faults }) });
});
</script>"""


def find_chromium() -> str | None:
    """Return the browser's program, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def run_in_browser(page: Path, script: str, *, size_px: tuple[int, int] = (1400, 900), timeout_s: float = 60.0) -> Any:
    """Return what a script returns in a page that is open; fail where the page itself has an error.

    Args:
        page: the file; a copy of it is opened that may say its result to this process, and reach nothing else.
        script: body of an async function of JavaScript.
        size_px: the window.
        timeout_s: how long it may take.
    """
    results: queue.Queue[Any] = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        text = page.read_text(encoding="utf-8").replace("default-src", f"connect-src {address}; default-src", 1)
        reporting = _REPORT.replace("SCRIPT", script).replace("ADDRESS", address)
        copy.write_text(text.replace("<head>", f"<head>{reporting}", 1), encoding="utf-8")
        browser = subprocess.Popen(
            [
                str(find_chromium()),
                *("--headless=new", "--no-sandbox", "--enable-unsafe-swiftshader", "--hide-scrollbars"),
                f"--user-data-dir={folder}/profile",
                f"--window-size={size_px[0]},{size_px[1]}",
                copy.as_uri(),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            said = results.get(timeout=timeout_s)
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
            server.server_close()
    assert said["faults"] == [], said["faults"]
    return said["found"]
