"""`python -m spaces_gen` is the command `spaces-gen`."""

from spaces_gen.cli import main

if __name__ == "__main__":
    main()
