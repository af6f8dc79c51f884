"""Store features between scans, under an address that depends on everything that decides them.

The store is passed as a value: the scan, `hubscan score` and the workers each open the one that they are
given. A folder on this machine is the only kind so far.
"""

from __future__ import annotations

from hubscan.feature_store.local import LocalStore, default_folder
from hubscan.feature_store.protocols import DamagedFeatures, FeatureStore, address
from hubscan.feature_store.stored import NOT_HERE, StoredFeatures, content_digests
from hubscan.records import Features, Sample, Scored

__all__ = [
    "DamagedFeatures",
    "FeatureStore",
    "LocalStore",
    "StoredFeatures",
    "address",
    "content_digests",
    "default_folder",
    "kept_features",
    "open_store",
]


def open_store(place: str | None = None) -> FeatureStore:
    """Return the store at *place*, by default in `HUBSCAN_CACHE` or the user's cache folder.

    *place* is text, which can be sent to a worker; today it is the path of a folder.
    """
    return LocalStore(place or default_folder())


def kept_features(scored: Scored, sample: Sample, store: FeatureStore) -> Features | None:
    """Return the features of *sample* that *scored* is based on; None if not all of them are still stored.

    Raises:
        DamagedFeatures: if they are damaged.
    """
    stored = store.load(scored.features) if scored.features else None
    places = None if stored is None else stored.places(sample.keys)
    if stored is None or places is None or (places == NOT_HERE).any():
        return None
    return stored.at(places)
