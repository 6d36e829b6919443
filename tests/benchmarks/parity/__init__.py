"""What `tests/benchmarks/parity.py` compares, a file for each part of the attack."""
