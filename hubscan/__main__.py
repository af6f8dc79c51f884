"""`python -m hubscan` is `hubscan`."""

from hubscan.cli import main

if __name__ == "__main__":
    main(prog_name="hubscan")
