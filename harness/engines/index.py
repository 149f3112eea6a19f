"""An index of tasks that reads the folders of the wanted names instead of all of lm-eval's."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from harness.stock import stock_definitions, stock_folder


def index_of(names: Sequence[str], include: Sequence[str] = (), metadata: Any = None) -> Any:
    """lm-eval's ``TaskManager`` for tasks, groups and tags of the given names.

    Args:
        names: Names, or patterns with ``*`` and ``?``.
        include: Folders with the user's own cards; they win over stock ones.
        metadata: What lm-eval attaches to every card.

    Returns:
        One over the folders that define the names, where these hold every member of a group; else the full one. A name
        that no card defines is in neither.
    """
    from lm_eval.tasks import TaskManager

    root = stock_folder()
    defined = list(stock_definitions())
    wanted = {match for name in names for match in fnmatch.filter({known for _, known in defined}, name)}
    places = {root / path.relative_to(root).parts[0] for path, name in defined if name in wanted}
    folders = [*map(str, sorted(places)), *include]
    manager = TaskManager(include_path=folders, include_defaults=False, metadata=metadata)
    if all(name in manager.all_tasks and _members_known(manager, name) for name in wanted):
        return manager
    return TaskManager(include_path=list(include) or None, metadata=metadata)


def _members_known(manager: Any, name: str) -> bool:
    """Whether every task that a group names is in the same partial index."""
    members = (manager.task_index[name].cfg or {}).get("task")
    if not isinstance(members, list):
        return True
    names = [member if isinstance(member, str) else member.get("task", member.get("group")) for member in members]
    return all(member in manager.task_index and _members_known(manager, member) for member in names)
