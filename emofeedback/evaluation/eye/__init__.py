"""The outside eye: people and vision-language models that see pictures and nothing else."""
