"""The files of a diffusers repository: which of them are needed, and whether a folder has them whole."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from emofeedback.errors import UserError
from emofeedback.files.checksums import CHECKSUMS, PICKLED, verify_folder
from emofeedback.generators.pipelines.families import INDEX, Described, describe
from emofeedback.servers.hub import OnDownload, listing, snapshot

SMALL = (".json", ".txt", ".jinja", ".model")  # configurations and vocabularies
WEIGHTLESS = ("scheduler", "tokenizer", "feature_extractor", "image_processor", "processor")
"""Components that consist of small files; a number may follow, as in tokenizer_2."""
_VARIANT = re.compile(r"\.(fp16|bf16)[.-]")
ELSEWHERE = "a folder in diffusers format, or hosted:OWNER/NAME"


def fetch_pipeline(
    name: str,
    *,
    half: bool = True,
    cache: Path | None = None,
    offline: bool = False,
    endpoint: str | None = None,
    progress: OnDownload | None = None,
) -> Path:
    """The folder of a pipeline's repository in the cache; what is missing of it is downloaded.

    Args:
        name: OWNER/NAME[@REVISION].
        half: take the 16-bit copy of the weights where there is one.
        offline: use the cache alone; so is done where Hugging Face cannot be reached.

    Raises:
        UserError: the repository is missing, gated, of no known family, has pickled weights only, or came half.
        Cancelled: raised by `progress`.
    """
    where = {"elsewhere": ELSEWHERE, "cache": cache, "endpoint": endpoint}
    if not offline:
        try:
            _, names = listing(name, ELSEWHERE, endpoint)
        except UserError:
            if not is_cached(name, cache):
                raise
            offline = True
    if not offline:
        index = [file for file in names if file in (INDEX, "scheduler/scheduler_config.json")]
        if INDEX not in index:
            raise UserError(f"{name} is no pipeline of diffusers ({INDEX} is missing); choose another model.")
        folder = snapshot(name, index, **where)  # type: ignore[arg-type]
        chosen = needed_files(names, describe(folder), half, name)
        folder = snapshot(name, chosen, progress=progress, **where)  # type: ignore[arg-type]
    else:
        folder = snapshot(name, [INDEX], offline=True, **where)  # type: ignore[arg-type]
    check_pipeline_folder(folder, name)
    return folder


def is_scene_generator(folder: Path) -> bool:
    """Whether a folder holds a generator of the scene world: its emotion adapter or vocabulary lies in it."""
    return (folder / "emotion_adapter").is_dir() or (folder / "vocabulary.json").is_file()


def is_cached(name: str, cache: Path | None = None) -> bool:
    """Whether the cache has a pipeline, whole."""
    try:
        folder = snapshot(name, [INDEX], cache=cache, offline=True)
        check_pipeline_folder(folder, name)
    except UserError:
        return False
    return True


def needed_files(names: Sequence[str], described: Described, half: bool, repo: str) -> list[str]:
    """The files of a repository that the pipeline loads; one copy of each weight, in safetensors.

    Raises:
        UserError: a component has pickled weights only, or none.
    """
    return [name for name in names if name in (INDEX, CHECKSUMS)] + component_files(
        names, described.components, half, repo
    )


def component_files(names: Sequence[str], parts: Iterable[str], half: bool, repo: str) -> list[str]:
    """The same of a pipeline's components alone."""
    chosen: list[str] = []
    for part in parts:
        inside = [name for name in names if name.startswith(f"{part}/")]
        chosen += [name for name in inside if name.endswith(SMALL)]
        if part.startswith(WEIGHTLESS):
            continue
        tensors = [name for name in inside if name.endswith(".safetensors")]
        if not tensors:
            _refuse(part, any(name.endswith(PICKLED) for name in inside), repo)
        chosen += one_variant(tensors, half)
    return chosen


def one_variant(names: Sequence[str], half: bool) -> list[str]:
    """The files of one copy: the 16-bit one where it is wanted and there, else the plain one."""
    variants: dict[str, list[str]] = {}
    for name in names:
        found = _VARIANT.search(Path(name).name)
        variants.setdefault(found[1] if found else "", []).append(name)
    for wanted in ("fp16", "bf16", "") if half else ("", "fp16", "bf16"):
        if wanted in variants:
            return variants[wanted]
    return []


def variant_of(folder: Path, described: Described) -> str | None:
    """The variant to ask diffusers for: set where some component has no plain weights."""
    for part in described.components:
        files = [file.name for file in (folder / part).glob("*.safetensors")]
        found = {match[1] if (match := _VARIANT.search(file)) else None for file in files}
        if files and None not in found:
            return sorted(name for name in found if name)[-1]
    return None


def check_pipeline_folder(folder: Path, name: str) -> Described:
    """What a folder describes, after its weights were found whole; headers are read, not the weights.

    Raises:
        UserError: a file is missing, cut short or changed, or a component's weights are pickled only.
    """
    described = describe(folder)
    if (folder / CHECKSUMS).is_file():
        verify_folder(folder, INDEX)
    for part in described.components:
        if part.startswith(WEIGHTLESS):
            continue
        inside = folder / part
        tensors = sorted(inside.glob("*.safetensors")) if inside.is_dir() else []
        if not tensors:
            pickled = inside.is_dir() and any(file.suffix in PICKLED for file in inside.iterdir())
            _refuse(part, pickled, name)
        for listed in _shards(inside):
            if not (inside / listed).is_file():
                raise UserError(f"{name} came only half ({part}/{listed} is missing); download it again.")
        for file in tensors:
            try:
                with safe_open(file, framework="np"):
                    pass
            except (SafetensorError, OSError):
                raise UserError(f"{name} is damaged or cut short ({part}/{file.name}); download it again.") from None
    return described


def _shards(folder: Path) -> set[str]:
    """The files that sharded weights consist of: those of a variant that has any of its files here."""
    named: set[str] = set()
    for index in folder.glob("*.safetensors.index*.json"):
        try:
            listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise UserError(f"{index} is damaged; download the model again.") from None
        if any((folder / file).is_file() for file in listed) or not one_variant_elsewhere(folder, listed):
            named |= listed
    return named


def one_variant_elsewhere(folder: Path, listed: set[str]) -> bool:
    """Whether the folder has weights that an index does not list: another variant, or one file in place of many."""
    return any(file.name not in listed for file in folder.glob("*.safetensors"))


def _refuse(part: str, pickled: bool, name: str) -> None:
    if pickled:
        raise UserError(
            f"{name} has pickled weights only ({part}), which may hold code and are refused; choose a repository with "
            "safetensors."
        )
    raise UserError(f"{name} came only half (the weights of {part} are missing); download it again.")


def weights_gigabytes(folder: Path, described: Described) -> tuple[float, float, float]:
    """Gigabytes of the files of the network, the text encoders and the rest."""
    sizes = [0.0, 0.0, 0.0]
    for part in described.components:
        files = [str(file) for file in (folder / part).glob("*.safetensors")]
        size = sum(Path(file).stat().st_size for file in one_variant(files, True)) / 1e9
        kind = 0 if part == described.family.network else 1 if part.startswith("text_encoder") else 2
        sizes[kind] += size
    return sizes[0], sizes[1], sizes[2]
