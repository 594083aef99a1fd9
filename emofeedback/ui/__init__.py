"""The studio: one Gradio app, one file per tab."""
