"""The commands that people and schedulers type."""

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process; the ``leadml`` script starts here."""
    from leadml.cli.app import app

    app(prog_name="leadml")
