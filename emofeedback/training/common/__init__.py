"""What all recipes share: the training loop, its budget, data, optimisers, curves."""
