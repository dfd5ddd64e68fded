"""What authors run: re-execute lessons, record full-scale runs, replicate claims, prepare data."""
