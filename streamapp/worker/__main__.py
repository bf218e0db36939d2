"""`python -m streamapp.worker`: serve until SIGTERM."""

from streamapp.worker.service import main

if __name__ == "__main__":
    main()
