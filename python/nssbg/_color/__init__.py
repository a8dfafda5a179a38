"""Colour profiles: what a picture is encoded in, and conversions between encodings."""
