"""Models: the real dispatcher in a simulated world, and the real guard beside a model of its rules."""
