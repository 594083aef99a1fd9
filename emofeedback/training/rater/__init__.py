"""The recipe of the second rater."""
