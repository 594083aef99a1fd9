"""`doctor`: what is installed, what is missing, what works."""

from dataclasses import asdict

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.settings_given import settings_from
from emofeedback.cli.shared_options import SharedOptions
from emofeedback.deploy.doctor import examine


def run(arguments: SharedOptions, console: Console) -> CommandResult:
    """Check the installation; exit code 1 where something needed is missing."""
    settings = settings_from(arguments)
    console.progress("checking")
    checks = examine(settings)
    failed = [check for check in checks if not check.ok and check.needed]
    marks = {True: "ok     ", False: "MISSING"}
    lines = [f"{marks[c.ok] if c.needed or c.ok else 'absent '} {c.name}: {c.detail}" for c in checks]
    lines += ["", "Everything needed is there." if not failed else f"{len(failed)} of {len(checks)} checks failed."]
    data = {"checks": [asdict(check) for check in checks], "ok": not failed}
    return CommandResult(data, "\n".join(lines), done=not failed)
