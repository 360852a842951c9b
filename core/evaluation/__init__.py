"""The worker that compares base and tuned model: `python -m core.evaluation FOLDER`."""
