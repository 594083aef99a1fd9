"""Makes the helpers beside this file importable from every folder of tests; no test tells anybody of itself."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
