"""The packages that commands need, and what to say when one is not installed."""

DISTRIBUTION = "tidemark-soak"
"""What pip calls us."""

EXTRAS = {"pyarrow": "fleet", "dask": "fleet", "distributed": "fleet"}
"""The packages that only a few commands need -> the extra that brings them."""


def missing_package(error: ModuleNotFoundError) -> str:
    """What is missing and how to get it, in one line.

    Raises:
        ModuleNotFoundError: It is one of our own: a bug, and not the user's to mend.
    """
    package = (error.name or "").partition(".")[0]
    if package in {"", "tidemark"}:
        raise error
    if extra := EXTRAS.get(package):
        return (
            f"this needs the package {package}, which is not installed: "
            f"pip install '{DISTRIBUTION}[{extra}]'"
        )
    return (
        f"this needs the package {package}, which is not installed: pip install {DISTRIBUTION} "
        "(python -m tidemark.sampler needs none)"
    )
