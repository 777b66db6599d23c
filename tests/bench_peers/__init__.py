"""Libraries that do not exist, for tests/test_bench.py: each misbehaves in its own way."""
