"""The recipe of the bundled judge, and the stages for judges on a base model."""
