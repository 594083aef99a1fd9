"""EmoFeedback: pictures that carry a set emotion, refined by a judge's feedback."""

__version__ = "0.1.0"
