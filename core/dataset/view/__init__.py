"""The curated view: which rows train, which are held out, and what the training set is made of."""
