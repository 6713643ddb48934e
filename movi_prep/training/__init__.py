"""The reading side: shards as a PyTorch data set."""
