"""The domain: examples one can read, and properties over any sequence of facts."""
