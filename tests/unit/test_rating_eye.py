"""The outside eye: blind sets, ratings that come back, agreement, worth on known photographs, models as raters."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from fake_openai import FakeOpenAI, completion, failure, serve
from fakes import ColourJudge, PaintGenerator, colour_of
from PIL import Image
from starlette.testclient import TestClient

from emofeedback.affect import Affect
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.evaluation.eye.model_rater import ASKED, rate
from emofeedback.evaluation.eye.rating_figures import EYE, View, contrast_measures, group_measures, rating_measures
from emofeedback.evaluation.eye.rating_server import application
from emofeedback.evaluation.eye.rating_set import RatedItem, RatingKey, Shown, gather, read_key, write_key
from emofeedback.evaluation.eye.rating_tables import RaterColumn, read_tables
from emofeedback.evaluation.eye.write_set import _as_shown, bare_bytes, write_set
from emofeedback.evaluation.metrics import agreement
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.storage import png_bytes
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.replies import parse_pair
from emofeedback.records import Picture, PictureRequest
from emofeedback.servers.chat import ChatServer

CORNERS = ((0.6, 0.6), (0.6, -0.6), (-0.6, 0.6), (-0.6, -0.6))


def picture(prompt: str, target: tuple[float, float], shown: tuple[float, float]) -> bytes:
    image = Image.new("RGB", (16, 16), colour_of(Affect(*shown)))
    return png_bytes(Picture(image, PictureRequest(prompt, Affect(*target), 0), "paint", 0.0))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three prompts at four corners, each drawn half way to its corner, a little brighter from prompt to prompt."""
    folder = tmp_path_factory.mktemp("rated") / "half"
    folder.mkdir()
    for p, prompt in enumerate(("a dog", "a cat", "a secret-subject")):
        for c, (v, a) in enumerate(CORNERS):
            (folder / f"{p}{c}.png").write_bytes(picture(prompt, (v, a), (v / 2 + 0.1 * p, a / 2)))
    return folder


@pytest.fixture(scope="module")
def made(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RatingKey]:
    out = tmp_path_factory.mktemp("set")
    key = gather([pictures], seed=3)
    write_set(out, key)
    write_key(out / "key.json", key)
    return out, key


def test_shrout_and_fleiss_own_example() -> None:
    """Table 2 of the paper: four judges, six targets; ICC(2,1) = .29, ICC(2,4) = .62."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = agreement(np.array(ratings, dtype=float))
    assert (round(found.single, 2), round(found.mean, 2)) == (0.29, 0.62)
    assert (found.pictures, found.raters) == (6, 4)
    gapped = np.vstack([ratings, [5, np.nan, 5, 5]])
    assert agreement(gapped) == found  # only pictures that everybody rated count
    same = np.tile(np.arange(5.0)[:, None], (1, 3))
    assert agreement(same).single == agreement(same).mean == 1.0
    assert np.isnan(agreement(same[:, :1]).single)


def test_raters_see_pictures_as_a_person_gets_them(tmp_path: Path) -> None:
    """What this project drew is enlarged, a photograph stays."""
    (tmp_path / "drawn.png").write_bytes(picture("a dog", (0.6, 0.6), (0.5, 0.5)))
    Image.new("RGB", (16, 16)).save(tmp_path / "photograph.png")
    large = LargePictures(SceneUpscaler(UpscalerShape(8, 1)))
    assert [_as_shown(tmp_path / f"{n}.png", large).width for n in ("drawn", "photograph")] == [64, 16]
    assert _as_shown(tmp_path / "drawn.png", LargePictures()).width == 16


def test_what_raters_get_tells_nothing(made: tuple[Path, RatingKey]) -> None:
    out, key = made
    files = [path for path in (out / "for-raters").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"index.html", "app.py", "sheet01.png", "table.csv", "question.txt"}
    for path in files:
        content = path.read_bytes()
        assert b"secret-subject" not in content and b"half" not in content and b"parameters" not in content, path.name
    assert "secret-subject" in (out / "key.json").read_text()
    page = (out / "for-raters" / "index.html").read_text()
    order = re.findall(r'\["([0-9a-f]{12})", "data:image/png;base64', page)
    assert order == sorted(item.id for item in key.items)  # by their random ids: the order tells nothing
    assert [item.file for item in key.items] != sorted(item.file for item in key.items)
    assert "http" not in page.replace('location.protocol.startsWith("http")', "")  # nothing is fetched from elsewhere


def test_pixels_stay_and_all_else_goes() -> None:
    image = Image.new("RGB", (20, 10), (1, 2, 3))
    image.info["comment"] = "a sad dog"
    content, kind = bare_bytes(image)
    assert kind == "image/png" and b"sad" not in content
    assert bare_bytes(Image.new("RGB", (2000, 1000)))[1] == "image/jpeg"


def test_equal_pictures_are_rated_once(tmp_path: Path) -> None:
    for name, target in (("a", (0.6, 0.6)), ("b", (-0.6, 0.6))):
        (tmp_path / f"{name}.png").write_bytes(picture("a dog", target, (0.0, 0.0)))
    [item] = gather([tmp_path]).items
    assert {shown.target for shown in item.shown} == {(0.6, 0.6), (-0.6, 0.6)}


def test_a_run_gives_its_first_and_its_best_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emofeedback.build.build_generator", lambda settings: PaintGenerator(0.2))
    monkeypatch.setattr("emofeedback.build.build_judge", lambda settings: ColourJudge())
    arguments = ["generate", "a dog", "--valence", "0.8", "--arousal", "0", "--rounds", "2", "--candidates", "2"]
    assert main([*arguments, "--out", str(tmp_path / "run"), "--json"]) == 0
    key = gather([tmp_path / "run"])
    assert {shown.group for item in key.items for shown in item.shown} == {"first picture", "best picture"}
    assert key.judges == ("colour",)


def test_the_key_comes_back_as_it_was_written(made: tuple[Path, RatingKey]) -> None:
    out, key = made
    assert read_key(out) == key == read_key(out / "key.json")
    with pytest.raises(UserError, match="no key"):
        read_key(out / "nowhere.json")


def truth(item: RatedItem) -> tuple[float, float]:
    red, green, _ = Image.open(item.file).getpixel((0, 0))
    return red / 127.5 - 1, green / 127.5 - 1


def table(path: Path, key: RatingKey, by: str, offset: float = 0.0) -> Path:
    """Ratings of the true colours plus an offset in valence, by id or by number."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "valence", "arousal"])
        for number, item in enumerate(key.items, 1):
            v, a = truth(item)
            writer.writerow([item.id if by == "id" else f"#{number}", f"{v + offset:.4f}", f"{a:.4f}"])
    return path


def test_tables_by_number_and_by_id_say_the_same(made: tuple[Path, RatingKey], tmp_path: Path) -> None:
    _, key = made
    first, second = read_tables([table(tmp_path / "x.csv", key, "id"), table(tmp_path / "y.csv", key, "no")], key)
    assert (first.name, second.name) == ("x", "y") and first.rated() == 12
    assert np.array_equal(first.ratings, second.ratings)
    with pytest.raises(UserError, match="check --rating-scale"):
        read_tables([table(tmp_path / "z.csv", key, "id", 2.0)], key)
    (tmp_path / "w.csv").write_text("picture,valence,arousal\n99,0,0\n")
    with pytest.raises(UserError, match="'99', which is not in the set"):
        read_tables([tmp_path / "w.csv"], key)


def test_figures_are_those_of_the_pictures(made: tuple[Path, RatingKey]) -> None:
    """Drawn half way: slope .5; the second rater sees twice as much, and stands beside."""
    _, key = made
    ratings = np.array([truth(item) for item in key.items])
    raters = [RaterColumn("one", ratings), RaterColumn("two", ratings + [0.05, 0.0])]
    beside = RaterColumn("second", np.clip(2 * ratings, -1, 1), "model")
    found = {m.name: m for m in rating_measures(key, raters, beside, 0)}
    assert found[f"half, {EYE}: valence slope"].value == pytest.approx(0.5, abs=0.01)
    assert found["half, second: arousal slope"].value == pytest.approx(1.0, abs=0.01)
    assert found[f"half, {EYE}: arousal error"].value == pytest.approx(0.3, abs=0.01)
    assert found[f"half, {EYE}: arousal error of a constant 0"].value == pytest.approx(0.6)
    assert found[f"half, {EYE}: right quadrant, glad and calm"].value == 1.0
    assert found["valence: r of two raters"].value == pytest.approx(1.0)
    assert found["valence: ICC of one rater"].value < 1.0 == pytest.approx(found["arousal: ICC of one rater"].value)
    assert found[f"second against the {EYE}: arousal slope"].value == pytest.approx(2.0, abs=0.01)
    assert found[f"half, {EYE}: distance to the target"].n == 3  # prompts, not pictures


def test_quality_melted_and_mixed_are_read_where_a_table_has_them(made: tuple[Path, RatingKey], tmp_path: Path) -> None:
    """Twelve pictures, half of them melted, one strongly and two mildly mixed; a second rater left it all out."""
    _, key = made
    rows = [f"{n},0.1,0.2,{1 + n % 2 * 3},{n % 2},{ {1: 2, 2: 1, 3: 1}.get(n, 0) }" for n in range(1, 13)]
    (tmp_path / "a.csv").write_text("picture,valence,arousal,Quality,melted,mixed\n" + "\n".join(rows))
    raters = read_tables([tmp_path / "a.csv", table(tmp_path / "b.csv", key, "no")], key)
    found = {m.name: m for m in rating_measures(key, raters, None, 0)}
    assert found[f"half, {EYE}: quality"].value == pytest.approx(2.5)
    assert found[f"half, {EYE}: melted or missing subject"].value == pytest.approx(0.5)
    assert found[f"half, {EYE}: mixed messages, strong"].value == pytest.approx(1 / 12)
    assert found[f"half, {EYE}: mixed messages, mild or strong"].value == pytest.approx(3 / 12)
    assert found[f"half, {EYE}: quality"].n == 3  # prompts
    assert not any("quality" in m.name for m in rating_measures(key, raters[1:], None, 0))
    (tmp_path / "c.csv").write_text("picture,valence,arousal,quality\n1,0,0,7\n")
    with pytest.raises(UserError, match="'7', which is not on quality from 1 to 5"):
        read_tables([tmp_path / "c.csv"], key)


def test_groups_are_compared_where_both_have_the_cell() -> None:
    items = tuple(
        RatedItem(str(k), f"{k}.png", (Shown(group, prompt, (0.5, 0.5)),))
        for k, (group, prompt) in enumerate((g, p) for g in ("loop", "best-of-n") for p in ("a", "b", "c"))
    )
    ratings = np.array([[0.5, 0.5]] * 3 + [[0.5, 0.3], [0.5, 0.1], [np.nan, np.nan]])
    [row] = contrast_measures(items, ("best-of-n", "loop"), View("eye", ratings), 0)
    assert row.value == pytest.approx(-0.3) and row.n == 2
    assert group_measures(items, "best-of-n", View("eye", ratings), 0) == []  # two pictures say nothing


def test_a_rater_is_measured_on_photographs_of_known_ratings(pictures: Path, tmp_path: Path) -> None:
    items = tuple(RatedItem(str(k), f"{k}.png", (), (k / 10 - 0.5, 0.5 - k / 10)) for k in range(10))
    human = np.array([item.human for item in items])
    found = rating_measures(RatingKey("s", items), [RaterColumn("me", human * 0.5)], None, 0)
    rows = {m.name: m.value for m in found}
    assert rows["me on known photographs: valence r"] == pytest.approx(1.0)
    assert rows["me on known photographs: valence slope"] == pytest.approx(0.5)
    assert rows["me on known photographs: arousal error"] == pytest.approx(0.125)
    assert rows["known photographs: valence error of a constant"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ('{"valence": -0.25, "arousal": 1}', (-0.25, 1.0)),
        ('Sure: ```json\n{"arousal": 0.5, "valence": 0}```', (0.0, 0.5)),
        ('{"valence": 7, "arousal": 3}', None),
        ('{"valence": "0.1", "arousal": 0.2}', None),
        ('{"valence": true, "arousal": 0}', None),
        ('{"valence": 0.1}', None),
        ("0.1, 0.2", None),
    ],
)
def test_only_a_whole_reply_is_a_rating(text: str, pair: tuple[float, float] | None) -> None:
    assert parse_pair(text) == pair


def test_models_are_asked_what_people_are_asked() -> None:
    assert "spontaneously" in ASKED and "average adult viewer at a glance" in ASKED and "target" not in ASKED


def test_a_server_is_shown_the_picture_and_asked_the_question_alone() -> None:
    """One that refuses a schema is asked without; an unreadable reply is asked once more, then missing."""
    replies = iter([failure(400), *(completion([text]) for text in ('{"valence": 0.5, "arousal": -0.25}', "no", "?"))])
    with serve(FakeOpenAI(lambda payload: next(replies, completion(["still no"])))) as fake:
        judge = RemoteJudge(ChatServer("org/vlm", fake.url), workers=1)
        assert rate(judge, [Image.new("RGB", (8, 8))] * 2) == [(0.5, -0.25), None]
    for payload in fake.payloads:
        [message] = payload["messages"]
        assert [part["type"] for part in message["content"]] == ["image_url", "text"]
        assert message["content"][1]["text"] == ASKED
    assert ["response_format" in payload for payload in fake.payloads] == [True, False, True, False, False]


def test_the_server_keeps_ratings_and_shows_none(made: tuple[Path, RatingKey], tmp_path: Path) -> None:
    out, key = made
    folder = tmp_path / "served"
    (folder).mkdir()
    for name in ("index.html", "set.json"):
        (folder / name).write_bytes((out / "for-raters" / name).read_bytes())
    client = TestClient(application(folder))
    rows = [[item.id, 0.25, -1, 1.5] for item in key.items]
    send = {"set": key.name, "rater": "../../Ann Ä", "rows": rows}
    assert client.get("/ratings").json() == {"set": key.name}
    assert client.post("/ratings", content=json.dumps(send)).json() == {"kept": 12}
    [kept] = (folder / "ratings").iterdir()
    assert kept.name == "Ann.csv"
    [column] = read_tables([folder / "ratings"], key)
    assert column.name == "Ann" and column.ratings.tolist() == [[0.25, -1.0]] * 12
    for bad in (
        {**send, "set": "other"},
        {**send, "rater": "//"},
        {**send, "rows": [["nothing", 0, 0, 0]]},
        {**send, "rows": [[key.items[0].id, 2, 0, 0]]},
        {**send, "rows": [[key.items[0].id, float("nan"), 0, 0]]},
        [],
    ):
        assert client.post("/ratings", content=json.dumps(bad)).status_code == 400
    assert client.post("/ratings", content=b"x" * 2_000_001).status_code == 413
    assert client.get("/ratings/Ann.csv").status_code == client.get("/set.json").status_code == 404


def test_the_commands_make_and_read(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raters = {"bundled": ColourJudge(), "blind": ColourJudge(blind=True)}
    raters["blind"].name = "blind"  # type: ignore[misc]
    monkeypatch.setattr("emofeedback.build.build_rater", lambda settings, *judge: raters[settings.rater])
    made_in = tmp_path / "out"
    assert main(["evaluate", "ratings", "make", str(pictures), "--out", str(made_in), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["pictures"] == 12 and Path(data["page"]).is_file() and Path(data["key"]).parent == made_in
    key = read_key(made_in)
    answers = table(tmp_path / "ann.csv", key, "id")
    read = [
        "evaluate",
        "ratings",
        "read",
        str(answers),
        "--key",
        data["key"],
        "--out",
        str(tmp_path / "read"),
        "--json",
    ]
    assert main(read) == 0
    rows = {m["name"]: m["value"] for m in json.loads(capsys.readouterr().out)["measures"]}
    assert rows[f"half, {EYE}: valence slope"] == pytest.approx(0.5, abs=0.01)
    assert rows["half, colour: valence slope"] == pytest.approx(0.5, abs=0.01)  # always both
    assert "Where it fails" in (tmp_path / "read" / "report.html").read_text()
    assert main(["evaluate", "ratings", "read", "--rater", "blind", "--key", data["key"]]) == 1
    assert "Nobody has rated" in capsys.readouterr().err
    assert main(["evaluate", "ratings", "read", "--key", data["key"]]) == 2
    write_key(tmp_path / "guided.json", RatingKey(key.name, key.items, ("colour",)))
    assert main(["evaluate", "ratings", "read", str(answers), "--key", str(tmp_path / "guided.json")]) == 1
    assert "who guides never grades" in capsys.readouterr().err
