"""A company of simulated viewers that rewrite a prompt, each by a chain of concepts (MC-Agent of Emotion-Director)."""
