"""`tidemark`, and `python -m tidemark`."""

import sys


def main() -> None:
    """Run the command line; without the package that it is made with, say so in one line."""
    try:
        from tidemark.cli import main as run  # noqa: PLC0415 - so that this can be said
    except ModuleNotFoundError as error:
        from tidemark.packages import missing_package  # noqa: PLC0415

        sys.stderr.write(f"tidemark: {missing_package(error)}\n")
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
