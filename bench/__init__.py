"""Benchmarks: every figure stands beside a floor measured in the same run, and only the ratio is worth quoting."""
