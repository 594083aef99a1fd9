"""The Read tab: any picture in, the judge's reading of it on the plane."""

from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.errors import UserError
from emofeedback.pictures import open_picture
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.ui import html
from emofeedback.ui.circumplex import plane
from emofeedback.ui.desk import MODELS, Models, friendly

SCOPE = (
    "The bundled judge was trained on illustrated scenes like those drawn here. It reads those well; on photographs, "
    "paintings and faces it guesses from light, colour and shapes. A reading is the emotion a picture expresses on the "
    "scene scale, not what somebody feels."
)


class ReadTab:
    """Builds the tab and answers its event."""

    def __init__(self, models: Models) -> None:
        self.models = models
        with gr.Row(elem_classes="desk"):
            with gr.Column(elem_classes="middle"):
                self.upload = gr.Image(
                    label="Picture to read", type="filepath", sources=["upload", "clipboard"], height=480,
                    elem_id="read-upload", elem_classes=["picture", "first"], buttons=["fullscreen"],
                    placeholder="Drop any picture here, or paste one.",
                )  # fmt: skip
                gr.HTML(html.notice(SCOPE))
            with gr.Column(elem_classes=["side", "board"]):
                self.plane = gr.HTML(plane(None, key="read"), elem_id="read-plane")
                self.words = gr.HTML(
                    html.notice("The reading appears here."), elem_id="read-words", elem_classes="judge"
                )
        take_files(self.upload)
        gr.on(
            [self.upload.upload, self.upload.input], self.run, [self.upload], [self.plane, self.words],
            show_progress="minimal", api_visibility="private", concurrency_id=MODELS, concurrency_limit=1,
            trigger_mode="always_last",
        )  # fmt: skip
        self.upload.clear(
            lambda: (plane(None, key="read"), html.notice("The reading appears here.")), None, [self.plane, self.words],
            queue=False, show_progress="hidden", api_visibility="private",
        )  # fmt: skip

    @friendly
    def run(self, file: str | None) -> tuple[Any, Any]:
        """The reading of an uploaded picture, as drawing and as words."""
        if file is None:
            return gr.skip(), gr.skip()
        read = read_file(self.models, file)
        return plane(None, chosen=read, key="read"), html.reading(read) + (html.seen(read.seen) if read else "")


def take_files(image: gr.Image) -> None:
    """Hand uploads over unopened: `open_picture` opens them, with limits, and says what is wrong with a bad one."""
    image.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]


def read_file(models: Models, file: str | None) -> Reading | None:
    """The judge's reading of a picture file.

    Raises:
        UserError: no file, or not a picture.
    """
    if file is None:
        raise UserError("Give a picture to read.")
    image = open_picture(Path(file), name="The picture")
    _, judge = models.get()
    with models.lock:
        return judge.read([Picture(image, PictureRequest("", None, 0), "upload", 0.0)])[0]
