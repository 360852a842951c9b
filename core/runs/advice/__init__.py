"""Whether to fine-tune at all: six questions, what the dataset shows, and what follows from both."""
