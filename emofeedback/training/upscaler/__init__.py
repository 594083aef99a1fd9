"""The recipe of the upscaler: from the generator's pictures to four times their side."""
