"""Where features are kept between scans, and found again by what decides them.

A store is passed in as a value: the scan, `hubscan score` and the workers each open the one that they are
told. A folder on this machine is the only kind so far.
"""

from __future__ import annotations

from hubscan.feature_store.local import LocalStore, default_folder
from hubscan.feature_store.protocols import FeatureStore, address
from hubscan.feature_store.stored import NOT_HERE, StoredFeatures, content_digests
from hubscan.records import Features, Sample, Scored

__all__ = [
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
    """Return the store at *place*, by default in the user's cache or where `HUBSCAN_CACHE` says.

    *place* is text, so that it can travel to a worker: today the path of a folder.
    """
    return LocalStore(place or default_folder())


def kept_features(scored: Scored, sample: Sample, store: FeatureStore) -> Features | None:
    """Return the features of *sample* that *scored* was scored with; None if they are no longer all kept."""
    stored = store.load(scored.features) if scored.features else None
    places = None if stored is None else stored.places(sample.keys)
    if stored is None or places is None or (places == NOT_HERE).any():
        return None
    return stored.at(places)
