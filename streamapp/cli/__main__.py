"""`python -m streamapp.cli`."""

from streamapp.cli.commands import main

if __name__ == "__main__":
    main()
