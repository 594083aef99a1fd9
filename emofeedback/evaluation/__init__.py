"""Measuring: figures, the second rater, protocols and benchmarks; never used to guide a run."""
