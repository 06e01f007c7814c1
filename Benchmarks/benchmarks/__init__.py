"""What `make bench` runs: one file for each kind of figure."""
