"""The command: `resnetcc` and `python -m resnetcc`."""
import os
import sys

from . import executable


def main():
    os.execv(executable(), ["resnetcc"] + sys.argv[1:])


if __name__ == "__main__":
    main()
