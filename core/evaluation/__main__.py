"""`python -m core.evaluation FOLDER`: compares base and tuned model of a run."""

import sys

from core.evaluation.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
