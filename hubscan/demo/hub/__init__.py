"""Serve a folder as a read-only Hugging Face Hub on 127.0.0.1, for the real clients.

The folder contains

    ROOT/models/<org>/<name>/…
    ROOT/datasets/<org>/<name>/…
    ROOT/hub.json    optional: {"moved": {"datasets/imdb": "stanfordnlp/imdb"},
                                "downloads": {"org/name": 1234}}

and it is served until the block ends:

    with serve(ROOT) as hub:
        subprocess.run([...], env={**os.environ, "HF_ENDPOINT": hub.endpoint})
"""

from hubscan.demo.hub.content import Blob, Commit, Kind, Repo
from hubscan.demo.hub.refusal import Refusal
from hubscan.demo.hub.server import serve
from hubscan.demo.hub.state import Hub, Served

__all__ = ["Blob", "Commit", "Hub", "Kind", "Refusal", "Repo", "Served", "serve"]
