"""Decode image and audio files."""
