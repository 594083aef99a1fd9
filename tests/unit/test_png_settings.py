"""Settings out of PNGs: ours, A1111's, and files made to do harm."""

import io
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import ColourJudge, PaintGenerator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.png_settings import (
    MAX_TEXT,
    NO_VISUAL,
    SIGNATURE,
    parse_parameters,
    read_settings,
    settings_from,
    strip_metadata,
)
from emofeedback.files.run_json import RequestJson
from emofeedback.files.storage import parameters_text, png_bytes
from emofeedback.loop.drawing import Drawing
from emofeedback.records import MAX_SEED, Picture, PictureRequest, VisualPrompt

A1111 = """a (misty:1.2) harbour, boats
second line
Negative prompt: people, text
more of it
Steps: 28, Sampler: Euler a, CFG scale: 6.5, Seed: 1234567890, Size: 512x768, Model hash: abc, Model: dream_v5, \
Lora hashes: "one: 1, two: 2", Clip skip: 2, Version: v1.10"""


def drawn(prompt: str = "a boat, at night", **settings: object) -> Picture:
    request = PictureRequest(prompt, Affect(0.6, -0.4), 7, 1.5, 3, **settings)  # type: ignore[arg-type]
    return next(iter(PaintGenerator().generate([request])))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def crafted(*chunks: bytes, width: int = 4, height: int = 4) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return SIGNATURE + header + b"".join(chunks) + chunk(b"IEND", b"")


def own(request: object) -> bytes:
    return crafted(chunk(b"tEXt", b"emofeedback\0" + json.dumps({"model": "m", "request": request}).encode()))


@pytest.mark.parametrize("prompt", ["a boat, at night", "ein Löwe — 獅子 <b>", "two\nlines", ""])
def test_our_own_png_gives_its_settings_back(prompt: str, tmp_path: Path) -> None:
    picture = drawn(prompt, guidance=2.5)
    (tmp_path / "mine.png").write_bytes(png_bytes(picture, ColourJudge().read([picture])[0]))
    found = read_settings(tmp_path / "mine.png")
    assert (found.prompt, found.valence, found.arousal) == (prompt, 0.6, -0.4)
    assert (found.seed, found.strength, found.steps, found.guidance, found.model) == (7, 1.5, 3, 2.5, "paint")


@pytest.mark.parametrize("patience", [None, 3])
def test_the_rules_of_the_run_come_back(patience: int | None) -> None:
    """A PNG told nothing of when its run stops and what its rounds start from; no patience at all reads as 0."""
    rules = {"tolerance": 0.3, "patience": patience, "continuation": "image", "start_strength": 0.4, "seed": 99}
    found = read_settings(png_bytes(drawn(), settings=rules))
    assert (found.tolerance, found.patience, found.continuation) == (0.3, patience or 0, "image")
    assert (found.start_strength, found.seed) == (0.4, 7)
    silent = read_settings(png_bytes(drawn()))
    assert (silent.tolerance, silent.patience, silent.continuation) == (None, None, None)


@pytest.mark.parametrize(
    "run",
    [
        {"tolerance": 9},
        {"patience": 2.5},
        {"continuation": "<script>"},
        {"continuation": ["image"]},
        {"start_strength": 0},
        ["tolerance"],
        "patience",
        7,
    ],
)
def test_rules_that_make_no_sense_are_refused(run: object) -> None:
    made = {"model": "m", "request": {"prompt": "a boat"}, "run": run}
    with pytest.raises(UserError, match="are damaged"):
        read_settings(crafted(chunk(b"tEXt", b"emofeedback\0" + json.dumps(made).encode())))


def test_our_parameters_text_says_the_same_as_our_chunk() -> None:
    content = png_bytes(drawn("Steps: a ladder, by the sea"))
    whole = read_settings(content)
    with Image.open(io.BytesIO(content)) as image:
        plain = parse_parameters(image.info["parameters"])
    silent = {"others": (), "visual": None, "negative_prompt": "", "size": ""}  # it has no place for these
    assert {**plain.known(), **silent} == {**whole.known(), **silent}


def test_the_visual_prompt_comes_back_without_ones_own_pictures() -> None:
    own = (Image.new("RGB", (8, 8)), 1.0)
    asked = VisualPrompt(1.2, "fear", ((4, 0.5), (7, 0.25)), (own, own), "amusement", 0.5)
    found = read_settings(png_bytes(drawn(visual=asked)))
    assert found.visual == replace(asked, pictures=()) and found.own_pictures == 2
    plain = read_settings(png_bytes(drawn(visual=VisualPrompt())))
    assert plain.visual == VisualPrompt() and plain.own_pictures is None
    assert read_settings(png_bytes(drawn())).visual == NO_VISUAL
    assert parse_parameters(A1111).visual is None


@pytest.mark.parametrize(
    "visual",
    [
        [],
        {},
        {"strength": "1"},
        {"strength": 9},
        {"strength": True},
        {"strength": 1, "emotion": 3},
        {"strength": 1, "emotion": "x" * 61},
        {"strength": 1, "centres": [[1]]},
        {"strength": 1, "centres": [[1.5, 1]]},
        {"strength": 1, "centres": [[-1, 1]]},
        {"strength": 1, "centres": [[1, -1]]},
        {"strength": 1, "guidance": -1},
        {"strength": 1, "centres": [[1, 1]] * 65},
        {"strength": 1, "own_pictures": 0.5},
    ],
)
def test_a_damaged_visual_prompt_is_refused(visual: object) -> None:
    with pytest.raises(UserError, match="damaged .visual prompt"):
        read_settings(own({"prompt": "a boat", "visual": visual}))


def test_a_picture_drawn_from_words_alone_has_no_mood() -> None:
    picture = next(iter(PaintGenerator().generate([PictureRequest("a boat", None, 1)])))
    assert "valence" not in read_settings(png_bytes(picture)).known()


@pytest.mark.parametrize("packed", [True, False])
def test_a1111_settings_are_read_from_plain_and_packed_text(packed: bool) -> None:
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("parameters", A1111, zip=packed)
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    found = read_settings(buffer.getvalue())
    assert found.prompt == "a (misty:1.2) harbour, boats\nsecond line"
    assert found.negative_prompt == "people, text\nmore of it"
    assert (found.seed, found.steps, found.guidance, found.model) == (1234567890, 28, 6.5, "dream_v5")
    assert ("Sampler", "Euler a") in found.others
    assert found.valence is None


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("just a boat", "just a boat"),
        ("", ""),
        ("a boat\nSteps: many, Seed: -1, CFG scale: nan, Size: 1x1", "a boat"),
        ("a: b", "a: b"),
        (("a" * 60 + " ") * 4000, None),
        ("x\n" + "a " * 100_000, None),
    ],
)
def test_texts_of_other_programs_never_fail(text: str, prompt: str | None) -> None:
    found = parse_parameters(text)
    assert found.seed is None and found.steps is None and found.guidance is None
    if prompt is not None:
        assert found.prompt == prompt


@pytest.mark.parametrize(
    "request_",
    [
        {"prompt": "x", "seed": -1},
        {"prompt": "x", "seed": 10**400},
        {"prompt": "x", "seed": True},
        {"prompt": ["x"]},
        {"prompt": "x" * 20_001},
        {"valence": float("nan"), "arousal": 0},
        {"valence": 1e999, "arousal": 0},
        {"valence": 0.5},
        {"steps": "8"},
        ["not", "a", "dict"],
        None,
    ],
)
def test_values_that_make_no_sense_are_refused(request_: object) -> None:
    with pytest.raises(UserError, match="damaged"):
        read_settings(own(request_))


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(UserError, match="damaged"):
        read_settings(crafted(chunk(b"tEXt", b"emofeedback\0" + b"[" * 200_000)))


def bomb(kind: bytes) -> bytes:
    packed = zlib.compress(b"a" * (64 * 2**20), 9)
    head = b"parameters\0\0" if kind == b"zTXt" else b"parameters\0\1\0\0\0"
    return crafted(chunk(kind, head + packed))


HOSTILE = {
    "empty": (b"", "is not a PNG"),
    "text": (b"hello", "is not a PNG"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "is not a PNG"),
    "signature alone": (SIGNATURE, "cut off"),
    "huge": (crafted(width=20_000, height=20_000), "20000 x 20000 pixels"),
    "long chunk": (SIGNATURE + b"\x7f\xff\xff\xffIHDR" + b"\0" * 13, "cut off"),
    "no header": (SIGNATURE + chunk(b"tEXt", b"parameters\0x") + chunk(b"IEND", b""), "cut off"),
    "no end": (crafted(chunk(b"tEXt", b"parameters\0x"))[:-12], "cut off"),
    "zip bomb": (bomb(b"zTXt"), "KB of text"),
    "zip bomb in iTXt": (bomb(b"iTXt"), "KB of text"),
    "not packed": (crafted(chunk(b"zTXt", b"parameters\0\0nonsense")), "damaged"),
    "long text": (crafted(chunk(b"tEXt", b"parameters\0" + b"x" * (MAX_TEXT + 1))), "KB of text"),
    "many chunks": (SIGNATURE + crafted()[8:33] + chunk(b"tIME", b"") * 100_001, "cut off"),
    "EXIF alone": (crafted(chunk(b"eXIf", b"Exif\0\0" + b"\xff" * 500)), "carries no settings"),
    "no settings": (crafted(chunk(b"tEXt", b"Comment\0hello")), "carries no settings"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_sentence(name: str) -> None:
    content, says = HOSTILE[name]
    with pytest.raises(UserError, match=says) as caught:
        read_settings(content)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_png_gets_one_sentence() -> None:
    content = png_bytes(drawn())
    for end in range(len(content)):
        with pytest.raises(UserError):
            read_settings(content[:end])


def test_a_changed_byte_is_noticed() -> None:
    content = bytearray(png_bytes(drawn()))
    content[content.index(b"Seed: 7") + 6] = ord("8")
    with pytest.raises(UserError, match="damaged"):
        read_settings(bytes(content))


def with_texts(**texts: str) -> bytes:
    return crafted(*(chunk(b"iTXt", f"{name}\0\0\0\0\0{text}".encode()) for name, text in texts.items()))


@pytest.mark.parametrize(
    ("text", "prompt", "seed"),
    [
        (
            "a boat,\r\non a lake\r\nNegative prompt: blurry\r\nSteps: 28, Seed: 7, Size: 1x1\r\n",
            "a boat,\non a lake",
            7,
        ),
        ("stone stairs, Steps: many, Seed: of an apple, Size: huge\nSteps: 28, Sampler: x, Seed: 7", None, 7),
        ("Steps: 3, Seed: 4, Size: 1x1\nSteps: 28, Sampler: x, Seed: 7", "Steps: 3, Seed: 4, Size: 1x1", 7),
        ("a cat\nSteps: 28, Seed: 7, Version: v1.10.1\nTemplate: a motorcycle,\nneon {red|blue}\nleft", "a cat", 7),
        ("Subject: a boat, Light: golden", "Subject: a boat, Light: golden", None),
        ("Size: huge, Seed: of an apple", "Size: huge, Seed: of an apple", None),
        ("a cat\nSubject: a boat, Light: golden", "a cat\nSubject: a boat, Light: golden", None),
        ("a boat\nSteps: 28, Sampler: x, CFG scale: 6.5, Seed: 4059184577, Size: 1x1", "a boat", 4059184577),
    ],
)
def test_the_settings_are_the_last_line_of_steps_and_a_prompt_stays_a_prompt(
    text: str, prompt: str | None, seed: int | None
) -> None:
    """Line breaks in extra values made all of it a prompt; a prompt of "Key: x, Key: y" was taken for settings."""
    found = read_settings(with_texts(parameters=text))
    assert (found.prompt, found.seed) == (prompt or text.split("\n")[0], seed)
    assert found.steps == (28 if seed else None)


def test_extra_values_keep_their_line_breaks_and_odd_numbers_their_words() -> None:
    found = parse_parameters(
        "a cat\nSteps: 28, Seed: 18446744073709551615, Size: 1x1\nTemplate: a,\nb\nNegative Template: c"
    )
    assert found.seed is None and found.steps == 28
    for pair in (("Seed", "18446744073709551615"), ("Template", "a,\nb"), ("Negative Template", "c")):
        assert pair in found.others


COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": ["9", 0],
            "steps": 20,
            "cfg": 7.5,
            "positive": ["12", 0],
            "negative": ["7", 0],
            "model": ["10", 0],
            "latent_image": ["5", 0],
        },
    },
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "8": {"class_type": "PrimitiveString", "inputs": {"value": "a boat"}},
    "9": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
    "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "clip": ["4", 1], "strength_model": 1}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "fable.safetensors"}},
    "12": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0], "strength": 1.0}},
}
OTHERS: dict[str, dict[str, str]] = {
    "ComfyUI": {"prompt": json.dumps(COMFY), "workflow": "{}"},
    "Fooocus": {
        "parameters": json.dumps(
            {"prompt": "a boat", "negative_prompt": "blurry", "seed": "5", "steps": 20, "guidance_scale": 7.5}
            | {"base_model": "fable", "resolution": "(512, 768)", "metadata_scheme": "fooocus"}
        )
    },
    "SwarmUI": {
        "parameters": json.dumps(
            {
                "sui_image_params": {
                    "prompt": "a boat",
                    "negativeprompt": "blurry",
                    "seed": 5,
                    "steps": 20,
                    "cfgscale": 7.5,
                }
            }
        )
    },
    "NovelAI": {
        "Software": "NovelAI",
        "Description": "a boat",
        "Comment": json.dumps({"steps": 20, "seed": 5, "scale": 7.5, "uc": "blurry", "width": 512, "height": 768}),
    },
    "InvokeAI": {
        "invokeai_metadata": json.dumps(
            {"positive_prompt": "a boat", "negative_prompt": "blurry", "seed": 5, "steps": 20, "cfg_scale": 7.5}
            | {"width": 512, "height": 768, "model": {"name": "fable"}}
        )
    },
    "InvokeAI of 2022": {
        "sd-metadata": json.dumps(
            {"image": {"prompt": [{"prompt": "a boat"}], "seed": 5, "steps": 20, "cfg_scale": 7.5}}
        )
    },
    "InvokeAI of old": {"Dream": '"a boat" -s 20 -S 5 -W 512 -H 768 -C 7.5 -A k_lms'},
}


@pytest.mark.parametrize("program", OTHERS)
def test_other_studios_files_are_read(program: str) -> None:
    """Each was said to carry no settings, or its JSON was the prompt."""
    found = read_settings(with_texts(**OTHERS[program]), "it")
    assert (found.prompt, found.seed, found.steps, found.guidance) == ("a boat", 5, 20, 7.5)
    assert ("Program", program.split()[0]) in found.others
    if "negative" in str(OTHERS[program]) or "uc" in str(OTHERS[program]):
        assert found.negative_prompt == "blurry"
    if program == "ComfyUI":
        assert found.model == "fable.safetensors" and ("Size", "512x768") in found.others


def test_other_studios_files_that_are_not_understood_are_named() -> None:
    odd = {"prompt": json.dumps({"1": {"class_type": "Odd", "inputs": {}}})}
    for texts in (odd, {"workflow": "{}"}, {"prompt": "[" * 9000}, {"prompt": '{"1": 5}'}):
        with pytest.raises(UserError, match="drawn by ComfyUI, in a way that is not read"):
            read_settings(with_texts(**texts))
    for texts, program in (
        ({"Software": "NovelAI", "Comment": "{"}, "NovelAI"),
        ({"invokeai_metadata": '{"seed": 5}'}, "InvokeAI"),
        ({"parameters": '{"seed": "5"}'}, "Fooocus"),
    ):
        with pytest.raises(UserError, match=f"drawn by {program}"):
            read_settings(with_texts(**texts))
    assert read_settings(with_texts(parameters="{red|blue} boats")).prompt == "{red|blue} boats"


def test_a_seed_that_is_too_large_is_said_and_a_ring_of_links_ends() -> None:
    graph = json.loads(json.dumps(COMFY))
    graph["3"]["inputs"]["seed"] = 2**64 - 1
    found = read_settings(with_texts(prompt=json.dumps(graph)))
    assert found.seed is None and ("Seed", str(2**64 - 1)) in found.others
    graph["12"]["inputs"]["conditioning"] = ["12", 0]
    with pytest.raises(UserError, match="ComfyUI"):
        read_settings(with_texts(prompt=json.dumps(graph)))


@pytest.mark.parametrize("prompt", ["🎆" * 20_000, '"\x01\\' * 6_600, "a\n" * 10_000])
def test_the_longest_prompt_and_the_highest_seed_come_back(prompt: str) -> None:
    """The second candidate of seed 2^53 could not be read back; nor could what was longer than may be read."""
    draws = Drawing(2, MAX_SEED).draws(prompt)
    for words, seed in draws:
        picture = Picture(Image.new("RGB", (4, 4)), PictureRequest(words, None, seed), "m", 0.0)
        found = read_settings(png_bytes(picture))
        assert (found.prompt, found.seed) == (prompt, seed)
    assert [seed for _, seed in draws] == [MAX_SEED, 0]
    with pytest.raises(UserError, match="20001 characters; shorten it"):
        PictureRequest("a" * 20_001, None, 0)


def test_other_formats_and_missing_files_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="a.jpg is not a PNG"):
        read_settings(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.png")


def test_without_metadata_only_the_pixels_are_left() -> None:
    picture = drawn("a secret")
    for bare in (strip_metadata(png_bytes(picture)), png_bytes(picture, metadata=False)):
        assert b"secret" not in bare
        with Image.open(io.BytesIO(bare)) as image:
            assert image.info == {}
            assert image.convert("RGB").tobytes() == picture.image.tobytes()
        with pytest.raises(UserError, match="carries no settings"):
            read_settings(bare)


def test_a_negative_prompt_and_a_size_come_back_from_a_picture_and_from_a_record() -> None:
    picture = drawn(negative="people, text", size=(96, 64))
    found = read_settings(png_bytes(picture))
    assert (found.negative_prompt, found.size) == ("people, text", "96x64")
    assert parameters_text(picture).split("\n")[1] == "Negative prompt: people, text"
    assert parse_parameters(parameters_text(picture)).negative_prompt == "people, text"
    assert RequestJson.of(picture.request).request() == picture.request
    plain = read_settings(png_bytes(drawn()))
    assert (plain.negative_prompt, plain.size) == ("", ""), "settings that name none bring back that there was none"
    assert not {"negative_prompt", "width", "height"} & set(RequestJson.of(drawn().request).as_json())


@pytest.mark.parametrize("sides", [{"width": 96}, {"width": 96, "height": "64"}, {"width": 0, "height": 64}])
def test_a_damaged_size_is_one_sentence(sides: dict[str, object]) -> None:
    with pytest.raises(UserError, match="size"):
        settings_from({"prompt": "a boat", **sides}, "it")
