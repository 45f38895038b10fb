"""The house as a whole: its floors, its names, its locked requirements."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from blocks.settings import PROJECT_ROOT

FLOORS = ("blocks", "agents", "flows", "deployments")


def test_the_floors_are_kept() -> None:
    # In a process of its own: import-linter's set-up of logging disables all loggers there are.
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [linter, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout


def test_there_is_no_import_circle() -> None:
    """Imports inside functions, and those for the type checker, count too."""
    graph = grimp.build_graph(*FLOORS)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    list(TopologicalSorter(imports).static_order())  # CycleError names the circle


def test_each_folder_is_read_on_one_screen() -> None:
    folders = {file.parent for floor in FLOORS for file in PROJECT_ROOT.glob(f"{floor}/**/*.py")}
    entries = {
        str(folder.relative_to(PROJECT_ROOT)): len(
            [*folder.glob("[!_]*.py"), *folder.glob("*/__init__.py")]
        )
        for folder in folders
        if folder.name != "versions"  # one migration after the other
    }
    assert {folder: count for folder, count in entries.items() if count > 16} == {}


def test_each_room_has_its_sentence() -> None:
    """In CONTRIBUTING.md, where one looks where something goes."""
    told = (PROJECT_ROOT / "CONTRIBUTING.md").read_text()
    rooms = {
        str(face.parent.relative_to(PROJECT_ROOT / floor))
        for floor in FLOORS
        for face in (PROJECT_ROOT / floor).glob("**/__init__.py")
        if floor != "agents"  # whose rooms are capabilities
    } - {".", "orchestrator"}
    inside = {room for room in rooms if room.startswith(("ledger/", "api/"))}
    names = rooms - inside | {room.split("/")[1] for room in inside}
    told_of = {name for name in names if f"`{name}`" in told or f"/{name}`" in told}
    assert names - told_of == set()


def test_no_installed_distribution_provides_a_package_of_ours() -> None:
    provided = importlib.metadata.packages_distributions()
    assert {floor: provided[floor] for floor in FLOORS if floor in provided} == {}


def test_no_file_shadows_the_standard_library_or_a_dependency() -> None:
    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions())
    taken |= set(FLOORS)
    files = [*(PROJECT_ROOT / "flows").glob("*.py"), *PROJECT_ROOT.glob("*.py")]
    assert [f.name for f in files if f.stem in taken and f.stem != "__init__"] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_locked_with_hashes_and_name_no_host(name: str) -> None:
    text = (PROJECT_ROOT / name).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
