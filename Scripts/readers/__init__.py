"""What Scripts/check-readers.py is made of."""
