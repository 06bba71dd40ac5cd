"""`python -m plugin` is `certbridge`."""

from plugin.cli import main

if __name__ == "__main__":
    main()
