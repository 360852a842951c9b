"""The worker that trains: `python -m core.training FOLDER`."""
