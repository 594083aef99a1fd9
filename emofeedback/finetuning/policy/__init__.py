"""LoRA policies over generators: rollouts, velocities, log-probs."""
