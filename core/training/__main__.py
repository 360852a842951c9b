"""`python -m core.training FOLDER`: trains what the folder's job.json says."""

import sys

from core.training.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
