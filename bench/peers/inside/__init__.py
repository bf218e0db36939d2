"""What runs inside a peer's own environment: started by `bench.peers.crew`, spoken to in lines of JSON.

Nothing of the project is installed there but what lies in this package.
"""
