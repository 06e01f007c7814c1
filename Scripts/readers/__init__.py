"""The modules of Scripts/check-readers.py."""
