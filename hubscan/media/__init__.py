"""Image and audio files: bytes in, pixels or samples out."""
