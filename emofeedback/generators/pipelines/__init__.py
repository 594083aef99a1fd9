"""Full-size pipelines of diffusers as generators."""
