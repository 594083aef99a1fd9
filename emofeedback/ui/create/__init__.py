"""The Create tab: the loop, round by round."""
