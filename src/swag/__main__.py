"""`python -m swag` is the program `swag`."""

from swag.cli import main

if __name__ == "__main__":
    main()
