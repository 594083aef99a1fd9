"""What several tabs share: the pad, the circumplex, cards, HTML, the look."""
