"""The Fine-tune tab: jobs, their queue, and what they learn."""
