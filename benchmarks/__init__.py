"""Speed, measured as ratios: `python -m benchmarks` runs every row in turn against its peers."""
