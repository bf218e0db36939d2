"""Broken versions of the product, run as real processes: the audit must object to each of them."""
