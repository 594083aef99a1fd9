"""The look: a light and a dark theme with a coral accent; CSS for our own fragments."""

from pathlib import Path

import gradio as gr

from emofeedback.affect import EMOTIONS, PRESETS
from emofeedback.ui.parts.circumplex import mood_colour

CORAL = gr.themes.Color(
    name="coral",
    c50="#fff4f0",
    c100="#ffe4db",
    c200="#ffc8b6",
    c300="#fda388",
    c400="#f57a58",
    c500="#e2593a",
    c600="#c2432a",
    c700="#a03421",
    c800="#7f2c1f",
    c900="#66271d",
    c950="#3a110b",
)
PAPER = gr.themes.Color(
    name="paper",
    c50="#fbf9f6",
    c100="#f5f2ec",
    c200="#e8e3da",
    c300="#d5cec2",
    c400="#a39c91",
    c500="#757068",
    c600="#57534d",
    c700="#3d3b38",
    c800="#272629",
    c900="#1c1c1f",
    c950="#131316",
)


def theme() -> gr.themes.Base:
    """The Gradio theme; fonts are those of the system, so that nothing is downloaded."""
    return gr.themes.Base(
        primary_hue=CORAL,
        neutral_hue=PAPER,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
        font=["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_950",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_border_width="1px",
        block_shadow="0 1px 2px rgb(40 30 20 / .05)",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_400",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_300",
        block_title_text_weight="600",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_700",
        slider_color="*primary_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
    )


def css() -> str:
    """Rules for our own fragments and the layout."""
    dots = "\n".join(
        f".chip-{name}::before {{ background: {mood_colour(EMOTIONS[name])}; }}\n"
        f'[data-mood="{name}"] .chip-{name} {{ border-color: {mood_colour(EMOTIONS[name])} !important; '
        f"box-shadow: inset 0 0 0 1px {mood_colour(EMOTIONS[name])}; font-weight: 700 !important; }}"
        for name in PRESETS
    )
    return Path(__file__).with_name("studio.css").read_text(encoding="utf-8") + dots
