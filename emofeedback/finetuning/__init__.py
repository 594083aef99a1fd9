"""Reward fine-tuning: the job, its trainer, rewards, advantages, audit, store and export."""
