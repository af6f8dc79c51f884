"""Open one split of a dataset, from the Hub, a URL or this disk, without reading its rows yet."""
