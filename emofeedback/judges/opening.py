"""A judge by its name: a folder, a repository of Hugging Face, or a server. Importing this imports torch."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emofeedback.files.checksums import verify_folder
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.judges.sources import fetch, fingerprint, is_scene_judge, is_url
from emofeedback.servers.chat import ChatServer, only_model
from emofeedback.servers.hub import HOSTED, hosted_key, hosted_parts, is_repo, split_revision

OpenJudge = SceneJudge | VisionLanguageJudge | RemoteJudge


def open_judge(
    name: str,
    folder: Path | None,
    device: Callable[[], str],
    environ: Mapping[str, str],
    kind: str = "judge",
    outside: bool = False,
) -> OpenJudge:
    """The model of that name, without a calibration.

    Args:
        name: http(s)://...[#MODEL], hosted:OWNER/NAME[:PROVIDER] or OWNER/NAME[@REVISION].
        folder: the folder that the name means instead; None = it means none.
        device: where a model that works here is put; asked for only then.
        environ: its EMOFEEDBACK_JUDGE_KEY (or EMOFEEDBACK_RATER_KEY) goes to the server, and to no other.
        kind: "judge" or "rater": what a sentence calls it.
        outside: whether a server must lie on the public internet.

    Raises:
        UserError: there is no such model, it is damaged, or the device is missing.
    """
    key_name = f"EMOFEEDBACK_{kind.upper()}_KEY"
    key = environ.get(key_name) or None
    if folder is None and is_url(name):
        url, _, model = name.partition("#")
        model = model or only_model(url, key, outside=outside)
        return RemoteJudge(ChatServer(model, url, key=key, key_name=key_name, outside=outside))
    if folder is None and name.startswith(HOSTED):
        repo, provider = hosted_parts(name, kind)
        return RemoteJudge(ChatServer(repo, provider=provider, key=hosted_key(key, kind), key_name=key_name))
    if folder is None:
        place = device()
        found = fetch(name)
        return VisionLanguageJudge.from_folder(found, name=name, identity=_identity(name, found), device=place)
    if is_scene_judge(folder):
        return SceneJudge.from_pretrained(folder, device=device())
    verify_folder(folder, "config.json")
    identity = _identity(None, folder)
    return VisionLanguageJudge.from_folder(folder, name=folder.name, identity=identity, device=device())


def is_remote(name: str) -> bool:
    """Whether a name is not that of a folder here: a repository, a hosted model or a server's address."""
    return is_url(name) or name.startswith(HOSTED) or is_repo(name)


def identity_at(name: str, folder: Path | None) -> str:
    """What the judge of that name will be told apart by, as far as it is known before it is opened; "" = not at all."""
    if folder is not None:
        return _identity(None, folder)
    if is_url(name):
        return f"remote:{model}" if (model := name.partition("#")[2]) else ""
    return f"remote:{hosted_parts(name)[0]}" if name.startswith(HOSTED) else f"{split_revision(name)[0]}@"


def _identity(name: str | None, folder: Path) -> str:
    """What calibrations are bound to: a repository's commit, or a fingerprint of the files."""
    if name is None:
        return f"{folder.name}:{fingerprint(folder)}"
    return f"{split_revision(name)[0]}@{folder.name[:12]}"
