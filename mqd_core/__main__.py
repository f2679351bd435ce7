"""`python -m mqd_core` is the same as `mqd`: for machines whose scripts folder is not on the path."""

from mqd_core.cli import main

if __name__ == "__main__":
    main(prog_name="mqd")
