"""What an unkind visitor sends: refused with one sentence, nothing executed, nothing outside the data touched."""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge, raw_call
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from patience import PATIENCE
from PIL import Image

from emofeedback import build
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.ui import app as studio
from emofeedback.ui.limits import Hosting

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SECRET = "top secret"


class Target:
    """A studio of fakes, and a secret beside its data folder."""

    def __init__(self, folder: Path) -> None:
        self.data, self.secret = folder / "data", folder / "secret.png"
        self.data.mkdir()
        self.secret.write_text(SECRET)
        self.page, self.address = studio.launch(
            lambda: (FakeGenerator(), FakeJudge()),
            studio.StudioOptions(example=folder / "none", files=self.data, hosting=Hosting(max_upload_mb=1)),
            block=False,
        )
        self.client = Client(self.address, verbose=False, download_files=str(folder / "client"))

    def call(self, name: str, data: list[Any]) -> tuple[bool, str]:
        return raw_call(self.address, name, data)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    target = Target(tmp_path_factory.mktemp("hostile"))
    yield target
    target.page.close()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that says it is so large; its content is a zip bomb of zeros."""
    body = zlib.compress(bytes(4 * 2**20), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg_with_exif(exif: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (230, 20, 120)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def whole_png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    return buffer.getvalue()


UPLOADS = {
    "text.png": (b"hello", "is not a picture"),
    "empty.png": (b"", "is not a picture"),
    "cut.png": (whole_png()[:900], "damaged or cut off"),
    "page.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "is not a picture"),
    "page.png": (b"<html><script>alert(1)</script></html>", "is not a picture"),
    "huge.png": (png(20_000, 20_000), "50 million or fewer|too many pixels"),
    "long.png": (png(2_000_000_000, 3), "50 million or fewer|too many pixels"),
    "text-bomb.png": (png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 * 2**20), 9))), "damaged"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n", "is not a picture"),
    "film.mp4": (b"\0\0\0\x18ftypmp42" + bytes(100), "is not a picture"),
    "pickle.png": (b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.", "is not a picture"),
}


@pytest.mark.parametrize("endpoint", ["/estimate", "/redraw"])
@pytest.mark.parametrize("name", UPLOADS)
def test_bad_uploads_get_one_sentence(target: Target, tmp_path: Path, name: str, endpoint: str) -> None:
    content, says = UPLOADS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AppError, match=says) as caught:
        target.client.predict(handle_file(tmp_path / name), api_name=endpoint)
    assert "Traceback" not in str(caught.value) and str(caught.value).count(". ") == 0
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\xff\xff\0\0\0\0\0\0",  # orientation 65535
        b"Exif\0\0II*\0\xff\xff\xff\xff",  # points beyond its end
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",  # says it has 65535 entries
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0\0\0\0\0",  # orientation as text
        b"Exif\0\0" + b"A" * 60_000,
    ],
)
def test_odd_exif_is_harmless(target: Target, tmp_path: Path, exif: bytes) -> None:
    (tmp_path / "in.jpg").write_bytes(jpeg_with_exif(exif))
    reading = target.client.predict(handle_file(tmp_path / "in.jpg"), api_name="/estimate")
    assert reading["valence"] > 0.7


def test_orientation_is_applied() -> None:
    image, buffer = Image.new("RGB", (40, 20)), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(buffer, "JPEG", exif=exif)
    assert open_picture(buffer.getvalue()).size == (20, 40)


def test_an_upload_above_the_limit_is_refused(target: Target) -> None:
    answer = httpx.post(
        f"{target.address}gradio_api/upload", files={"files": ("big.png", bytes(3 * 2**20), "image/png")}
    )
    assert answer.status_code >= 400 and "Traceback" not in answer.text


@pytest.mark.parametrize(
    "name", ["../../../escaped.png", "..\\..\\escaped.png", "<script>.png", "a\0b.png", "C:/x.png"]
)
def test_file_names_of_uploads_stay_in_their_folder(target: Target, name: str) -> None:
    answer = httpx.post(f"{target.address}gradio_api/upload", files={"files": (name, whole_png(), "image/png")})
    if answer.status_code == 200:
        path = Path(answer.json()[0])
        assert ".." not in path.parts and "<" not in path.name
        assert not list(target.data.parent.glob("escaped*"))
        done, said = target.call("estimate", [{"path": str(path), "meta": {"_type": "gradio.FileData"}}])
        assert done, said


def test_no_endpoint_reads_a_file_that_was_not_uploaded(target: Target) -> None:
    for path in (str(target.secret), "/etc/passwd", "../secret.png", "/proc/self/environ", "file:///etc/passwd"):
        for name in ("estimate", "redraw"):
            for image in ({"path": path, "meta": {"_type": "gradio.FileData"}}, {"path": path}, {"url": path}, path):
                rest = ["a boat", 0, 0, 1, 0, 1, 1, 0.6] if name == "redraw" else []
                done, said = target.call(name, [image, *rest])
                assert not done and SECRET not in said and "root:" not in said and "Traceback" not in said


def test_no_endpoint_fetches_from_the_inside(target: Target) -> None:
    for url in (target.address, "http://169.254.169.254/latest/meta-data/", "http://localhost:1/", "ftp://127.0.0.1/"):
        for image in ({"path": url, "meta": {"_type": "gradio.FileData"}}, {"path": url, "url": url}):
            done, said = target.call("estimate", [image])
            assert not done and "Traceback" not in said


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "SECRET", "DATA/../secret.png", "../secret.png", "%2e%2e%2fsecret.png", "app.py"]
)
def test_files_outside_are_not_served(target: Target, path: str) -> None:
    path = path.replace("SECRET", str(target.secret)).replace("DATA", str(target.data))
    answer = httpx.get(f"{target.address}gradio_api/file={path}")
    assert answer.status_code in (403, 404) and SECRET not in answer.text


def test_scripts_in_a_prompt_are_only_words(target: Target) -> None:
    path, _ = target.client.predict(SCRIPT, 0.5, 0.5, api_name="/generate")
    with Image.open(path) as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"] == SCRIPT
    _, run = target.client.predict(SCRIPT, 0.5, 0.5, rounds=2, candidates=1, api_name="/feedback_run")
    assert run["prompt"] == SCRIPT
    _, sheet, files = target.client.predict(SCRIPT, grid=2, api_name="/sweep")
    assert sheet["prompt"] == SCRIPT and all("<" not in Path(file).name for file in files)


def test_a_program_may_leave_out_what_comes_last(target: Target) -> None:
    done, said = target.call("generate", ["a boat"])
    assert done and "a boat" in said


def test_odd_letters_in_a_prompt(target: Target) -> None:
    for prompt in ("a\0b", "\u202egnp.exe", "雪 🎆", "{{7*7}} ${7*7} %s %n", "'; DROP TABLE runs; --", "../" * 50):
        _, run = target.client.predict(prompt, 0.5, 0.5, api_name="/generate")
        assert run["seed"] == 0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("generate", ["x", "NaN", 0, 1, 0, 0, "", 0, False, True]),
        ("generate", ["x", None, 0, 1, 0, 0, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1e308, 0, 0, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 10**30, 0, "", 0, False, True]),
        ("generate", ["x", 10**400, 0, 1, 0, 0, "", 0, False, True]),
        ("generate", ["x", 0, 0, 10**400, 0, 0, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 10**400, 0, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 0, 10**400, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 0, 0, "y" * 2**20, 0, False, True]),
        ("sweep", ["x", 3, 1, 0, "0" * 2**20, "", 9, "", 0, 0, True]),
        ("feedback_run", ["x", 0, 0, 1, 0, 10**400, 1, "same_seed", True]),
        ("generate", ["x", 0, 0, 1, 0, 10**9, "", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 0, 0, "../../etc/passwd", 0, False, True]),
        ("generate", ["x", 0, 0, 1, 0, 0, "", "NaN", False, True]),
        ("generate", ["x", 0, 0, 1, 0, 0, "", 1e308, False, True]),
        ("generate", []),
        ("sweep", ["x", 3, 1, 0, "0,0 " * 100_000, "", 9, "", 0, 0, True]),
        ("sweep", ["x", 3, 1, 0, "nan,nan inf,0", "", 9, "", 0, 0, True]),
        ("sweep", ["x", 3, 1, 0, "", SCRIPT, 9, "", 0, 0, True]),
        ("sweep", ["x", 3, 1, 0, "", "", 9, "/etc/passwd", 0, 0, True]),
        ("sweep", ["x", 10**9, 1, 0, "", "", 9, "", 0, 0, True]),
        ("feedback_run", ["x", 0, 0, 1, 0, 10**9, 1, "same_seed", True]),
        ("feedback_run", ["x", 0, 0, 1, 0, 1, 1, SCRIPT, True]),
        ("fine_tune", [SCRIPT, 0, 0, "../..", 5, 0, "awm", 0]),
    ],
)
def test_odd_values_are_refused_without_a_trace(target: Target, name: str, data: list[Any]) -> None:
    done, said = target.call(name, data)
    assert not done
    assert "Traceback" not in said and "<script>" not in said and "site-packages" not in said
    assert "the log of the app" not in said and len(said) < 2500


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc/passwd", SCRIPT, "a\0b", "~root", "http://evil.example/x", "x" * 5000]
)
def test_adapter_and_model_names_are_only_paths(name: str, tmp_path: Path) -> None:
    path, scale = build.parse_adapter(f"{name}:0.5")
    assert scale == 0.5 and str(path)
    with pytest.raises(UserError, match="no generator") as caught:
        build._folder(build.Settings(), "generator", name + "-nowhere")
    assert "\n" not in str(caught.value)


def test_nothing_was_written_beside_the_data(target: Target) -> None:
    assert {path.name for path in target.data.parent.iterdir()} <= {"data", "secret.png", "client"}
    assert target.secret.read_text() == SECRET
    assert not Path("owned").exists()


@pytest.mark.parametrize("endpoint", ["generate", "preview", "sweep", "feedback_run"])
def test_half_a_character_in_a_prompt_is_one_sentence(target: Target, endpoint: str) -> None:
    """A lone surrogate over the API ended in "This did not work", or with no answer at all."""
    told = target.client.view_api(return_format="dict", print_info=False)["named_endpoints"][f"/{endpoint}"]
    fields = {p["parameter_name"]: p.get("parameter_default") for p in told["parameters"]}
    body = json.dumps({"data": ["a dog \ud83d" if name == "prompt" else v for name, v in fields.items()]})
    address = f"{target.address}gradio_api/call/{endpoint}"
    asked = httpx.post(address, content=body, headers={"content-type": "application/json"})
    answer = httpx.get(f"{address}/{asked.json()['event_id']}", timeout=PATIENCE)
    assert "event: error" in answer.text and "half a character" in answer.text
