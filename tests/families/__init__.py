"""Every family of encoders that hubscan answers for, each as a tiny random checkpoint, and what must hold.

`text.py`, `image.py` and `audio.py` list them, `properties.py` says what is held against each.
"""
