"""LoRA policies over generators: rollouts (`rollout.py`), velocities, log-probs."""
