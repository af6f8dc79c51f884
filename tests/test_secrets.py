"""Whatever a secret is for, and however a command ends, it appears nowhere but where it must be sent."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubscan.demo.hub import serve
from tests.hub import ALWAYS, LabHub, environment
from tests.support import programs
from tests.support.commands import SMALL
from tests.support.fault_table import record
from tests.support.serving import serving
from tests.support.traces import files_with, is_in, watched

SECRET = "open/sesame+7"  # quoted in a URL, it is another text
QUOTED = quote(SECRET, safe="")
TOKEN = "mirror-sesame-7"  # of a Hub whose tokens do not begin with hf_
USER, PASSWORD = (b64encode(text.encode()).decode() for text in (f"{SECRET}:", f"me:{SECRET}"))
NOBODY = "127.0.0.1:9"
MODEL = ("--model", "tester/seeing-bert")
FORMATS = ("human", "json", "csv", "markdown", "quiet")
ROWS = b"text,label\n" + b"".join(b"row %d,%s\n" % (n, (b"good", b"bad")[n % 2]) for n in range(80))


@dataclass
class Heard:
    """One request, with everything that the client sent."""

    line: str
    headers: list[tuple[bytes, bytes]]
    at_hub: bool  # else at the second port, which serves large files
    body: bytes = b""

    def sent(self) -> bytes:
        """Return all that the client sent."""
        return b"\n".join([self.line.encode(), *map(b": ".join, self.headers), self.body])

    def sent_besides_token(self) -> bytes:
        """Return it without the header that names the sender, which only the endpoint may get."""
        kept = [pair for pair in self.headers if pair[0].lower() != b"authorization" or not self.at_hub]
        return Heard(self.line, kept, self.at_hub, self.body).sent()


class ListeningHub(LabHub):
    """A Hub that keeps all that it receives."""

    def __init__(self, root: Path) -> None:
        self.heard: list[Heard] = []
        super().__init__(root)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        faulty = super().wrap(app)

        async def listening(scope: Scope, receive: Receive, send: Send) -> None:
            line = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}"
            heard = Heard(line, list(scope["headers"]), self.endpoint.endswith(f":{scope['server'][1]}"))
            self.heard.append(heard)

            async def hear() -> Message:
                message = await receive()
                heard.body += message.get("body", b"")
                return message

            await faulty(scope, hear, send)

        return listening


class Site(BaseHTTPRequestHandler):
    """Serves rows to whoever knows the secret, in the query or as the user."""

    def do_GET(self) -> None:
        knows = QUOTED in self.path or USER in self.headers.get("Authorization", "")
        body = ROWS if knows and self.path.startswith("/rows.csv") else b""
        self.send_response(200 if body else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Failing:
    """A command that fails."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind of secret, and what has it; `{hub}` and `{site}` stand for the addresses of the servers."""

    secret: str
    variables: Mapping[str, str] = field(default_factory=dict)
    dataset: str = "tester/reviews"
    for_hub: bool = False  # it is sent to the Hub
    in_file: bool = False  # the token file of the client
    failing: tuple[Failing, ...] = ()


def rank(dataset: str, **variables: str) -> Failing:
    return Failing(("rank", "-v", "--dataset", dataset, *SMALL), variables)


def doctor(**variables: str) -> Failing:
    return Failing(("doctor", "-v"), variables)


def proxies(value: str) -> dict[str, str]:
    return dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), value)


def url(form: str, *refused: str) -> Kind:
    """Return the kind of a URL: *form* with the host and path of the rows for PLACE; other forms fail."""
    good, *bad = (one.replace("PLACE", "{site}/rows.csv") for one in (form, *refused))
    bad += [form.replace("PLACE", place) for place in ("{site}/gone.csv", "{site}/rows.zip")]
    return Kind(SECRET, dataset=good, failing=tuple(map(rank, bad)))


def search(**variables: str) -> Failing:
    return Failing(("search", "-v", "--task", "text-classification", "--author", "quoting"), variables)


REFUSED = (rank("tester/unknown"), rank("tester/quoting"), search())
KINDS = {
    "HF_TOKEN": Kind(TOKEN, {"HF_TOKEN": TOKEN}, for_hub=True, failing=REFUSED),
    "the token file in HF_HOME": Kind(TOKEN, for_hub=True, in_file=True, failing=REFUSED),
    "a password in HF_ENDPOINT": Kind(
        SECRET,
        {"HF_ENDPOINT": f"http://me:{QUOTED}@{{hub}}"},
        for_hub=True,
        failing=(
            *REFUSED,
            rank("tester/reviews", HF_ENDPOINT=f"http://me:{QUOTED}@{NOBODY}"),
            search(HF_ENDPOINT=f"http://me:{QUOTED}@{NOBODY}"),
            rank("tester/reviews", HF_ENDPOINT=f"me:{QUOTED}@{{hub}}"),
            rank("tester/reviews", HF_ENDPOINT=f"http://me:{SECRET}@{{hub}}"),
            doctor(HF_ENDPOINT=f"http://me:{QUOTED}@{NOBODY}"),
        ),
    ),
    "a password in a proxy": Kind(
        SECRET,
        proxies(f"http://me:{QUOTED}@{NOBODY}"),
        failing=(
            rank("tester/reviews", NO_PROXY=""),
            rank("http://{site}/rows.csv", NO_PROXY=""),
            search(NO_PROXY=""),
            rank("tester/reviews", **proxies(f"http://me:{QUOTED}@{NOBODY}x")),
            doctor(NO_PROXY=""),
        ),
    ),
    "a password in a proxy without a scheme": Kind(
        SECRET,
        proxies(f"me:{QUOTED}@{NOBODY}"),
        failing=(
            rank("tester/reviews", NO_PROXY=""),
            search(NO_PROXY=""),
            rank("tester/reviews", **proxies(f"me:{QUOTED}@{NOBODY}x")),
            rank("tester/reviews", **proxies(f"me:{SECRET}@{NOBODY}x")),
            doctor(NO_PROXY=""),
        ),
    ),
    "the signature of a dataset's URL": url(
        f"http://PLACE?X-Amz-Signature={QUOTED}", f"http://{NOBODY}/rows.csv?X-Amz-Signature={QUOTED}"
    ),
    "a user or a password in a dataset's URL": url(
        f"http://{QUOTED}@PLACE", f"http://me:{QUOTED}@PLACE", f"http://me:{SECRET}@PLACE"
    ),
}


class Machine:
    """A folder for all that hubscan writes, with the Hub and the site that it can reach.

    `leaks` has what contains the secret and should not.
    """

    def __init__(self, kind: Kind, hub: ListeningHub, site: str, folder: Path) -> None:
        self.kind, self.hub, self.site, self.folder = kind, hub, site, folder
        self.leaks: list[str] = []
        self.home, self.temporary = folder / "home", folder / "tmp"
        for made in (self.home, self.temporary, folder / "work"):
            made.mkdir()
        self.token_file = self.home / "token"
        if kind.in_file:
            self.token_file.write_text(kind.secret)

    def fill(self, text: str) -> str:
        """Return *text* with the addresses of the servers."""
        hosts = {"{hub}": self.hub.endpoint, "{site}": self.site}
        for name, address in hosts.items():
            text = text.replace(name, address.removeprefix("http://"))
        return text

    def variables(self, **more: str) -> dict[str, str]:
        token = None if self.kind.in_file else "hf_good"
        own = {"HUBSCAN_CACHE": str(self.folder / "cache"), "TMPDIR": str(self.temporary)}
        asked = {name: self.fill(value) for name, value in {**self.kind.variables, **more}.items()}
        return environment(self.hub.endpoint, self.home, token) | own | asked

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `hubscan` and look at its output."""
        words = ("-m", "hubscan", *map(self.fill, arguments))
        done = programs.run(words, self.variables(**more), self.folder / "work", timeout=120)
        shown = f"{arguments} {more}\n{done.stdout}\n{done.stderr}"
        self.leaks += [shown] if is_in(done.stdout + done.stderr, self.kind.secret) else []
        return done

    def scan(self) -> Path:
        """Scan in processes of its own, which are watched, and return the run folder."""
        words = ("rank", "-v", "--dataset", self.fill(self.kind.dataset), *MODEL, *SMALL)
        out, err = self.folder / "out", self.folder / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "hubscan", *words],
                cwd=self.folder / "work",
                env=self.variables(),
                stdout=stdout,
                stderr=stderr,
            )
            self.leaks += watched(process, self.kind.secret, self.temporary)
        assert process.returncode == 0, err.read_text()
        (run,) = (self.folder / "work" / "runs").iterdir()
        return run

    def look(self) -> None:
        """Look at all files, and at all that the Hub has received."""
        self.leaks += files_with(self.folder, self.kind.secret, {self.token_file})
        heard = self.hub.heard
        self.leaks += [one.line for one in heard if is_in(one.sent_besides_token(), self.kind.secret)]


@pytest.fixture
def listening_hub(hub_root: Path) -> Iterator[ListeningHub]:
    hub = ListeningHub(hub_root)
    hub.tokens |= {TOKEN: "tester", f"Basic {PASSWORD}": "tester"}
    quoting = {"X-Error-Message": f"unknown sender {TOKEN} or {SECRET} or {QUOTED} or Basic {PASSWORD}"}
    hub.faults.add("[/=]quoting", times=ALWAYS, status=403, headers=quoting)
    with serve(hub):
        yield hub
    hub.close()


@pytest.fixture
def site() -> Iterator[str]:
    with serving(Site) as address:
        yield address


def test_a_planted_secret_is_found_in_whatever_form(tmp_path: Path) -> None:
    in_base64 = [b64encode(f"{before}{SECRET} after".encode()).decode() for before in ("", "x", "xy", "xyz")]
    quoted = [QUOTED, QUOTED.lower(), quote(SECRET)]
    for number, text in enumerate([SECRET, *quoted, *in_base64]):
        (tmp_path / str(number)).write_text(f"before {text} after")
    (tmp_path / "fine").write_text("sesame")
    (tmp_path / QUOTED).touch()
    (tmp_path / "link").symlink_to(QUOTED)
    pq.write_table(pa.table({"x": [SECRET] * 9}), tmp_path / "table", compression="zstd")
    found = {Path(path).name for path in files_with(tmp_path, SECRET, {tmp_path / "0"})}
    assert found == {path.name for path in tmp_path.iterdir()} - {"fine", "0"}


def test_a_planted_secret_is_found_in_commands_and_temporary_files(tmp_path: Path) -> None:
    inner = [sys.executable, "-c", "import time; time.sleep(1)", SECRET]
    code = "import subprocess, sys, pathlib\npathlib.Path('x').write_text(sys.argv[1])\n"
    code += f"subprocess.run({inner!r})\npathlib.Path('x').unlink()"
    process = subprocess.Popen([sys.executable, "-c", code, SECRET], cwd=tmp_path)
    assert watched(process, SECRET, tmp_path) == {" ".join(inner), str(tmp_path / "x")}


def test_a_planted_secret_is_found_in_requests() -> None:
    token = (b"Authorization", f"Bearer {SECRET}".encode())
    assert not is_in(Heard("GET /x?", [token], at_hub=True).sent_besides_token(), SECRET)
    for heard in (
        Heard("GET /x?", [token], at_hub=False),
        Heard(f"GET /x?q={QUOTED}", [], at_hub=True),
        Heard("GET /x?", [(b"referer", SECRET.encode())], at_hub=True),
        Heard("GET /x?", [], at_hub=True, body=b64encode(SECRET.encode())),
    ):
        assert is_in(heard.sent_besides_token(), SECRET)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_secret_appears_nowhere(name: str, listening_hub: ListeningHub, site: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    machine = Machine(kind, listening_hub, site, tmp_path)
    run = machine.scan()
    for form in FORMATS:
        assert machine.run("show", str(run), "--format", form).returncode == 0
    published = machine.run("publish", str(run), "--repo", "tester/ranking")
    assert published.returncode == 0, published.stderr
    assert any("/commit/main" in heard.line for heard in listening_hub.heard)
    for failing in kind.failing:
        done = machine.run(*failing.arguments, **failing.variables)
        assert done.returncode > 0, done.stdout
    machine.look()
    assert kind.for_hub == any(is_in(heard.sent(), kind.secret) for heard in listening_hub.heard)
    assert not machine.leaks, "\n".join(machine.leaks)
    record("secrets", name, "ranked, shown and published; in no output, file, request or command line")
