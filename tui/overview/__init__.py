"""The Overview screen: what the training set is made of."""
