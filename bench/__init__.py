"""The benchmark: streamapp beside its peers, on brokers of its own, in one run: only ratios need to be believed.

`make bench` prints one table and writes `bench/results/<date>.json`. Nothing here is part of the tests.
"""
