"""The same commands by ``python -m leadml``."""

from leadml.cli import main

if __name__ == "__main__":
    main()
