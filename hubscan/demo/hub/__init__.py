"""A read-only Hugging Face Hub on 127.0.0.1: a folder in, an endpoint for the real clients out.

It serves what lies below one folder,

    ROOT/models/<org>/<name>/…
    ROOT/datasets/<org>/<name>/…
    ROOT/hub.json    optional: {"moved": {"datasets/imdb": "stanfordnlp/imdb"},
                                "downloads": {"org/name": 1234}}

until the block ends:

    with serve(ROOT) as hub:
        subprocess.run([...], env={**os.environ, "HF_ENDPOINT": hub.endpoint})
"""

from hubscan.demo.hub.content import Blob, Commit, Kind, Repo
from hubscan.demo.hub.refusal import Refusal
from hubscan.demo.hub.server import serve
from hubscan.demo.hub.state import Hub, Served

__all__ = ["Blob", "Commit", "Hub", "Kind", "Refusal", "Repo", "Served", "serve"]
