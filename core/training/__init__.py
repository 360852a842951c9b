"""The worker that trains, `python -m core.training FOLDER`; `preview` and `measure` answer questions about tokens."""
