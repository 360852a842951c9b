"""The worker that compares base and tuned model on held-out samples, `python -m core.evaluation FOLDER`."""
