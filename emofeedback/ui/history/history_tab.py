"""The History tab: find a run, look at it, bring its settings back, pin, delete, export; drop a PNG for its settings.

Every handler asks anew who is there (`owner_of`) and hands that name to the history; ids that the page sends are only
looked up. Pictures are shown as copies in the visitor's own folder, so the data folder itself is never served.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.errors import UserError
from emofeedback.files.png_settings import read_settings, strip_metadata
from emofeedback.files.storage import write_whole
from emofeedback.history.index import Entry, Wanted
from emofeedback.history.record import BOARD, telling_names
from emofeedback.history.store import Page
from emofeedback.ui.create.restore import Restore
from emofeedback.ui.history import history_layout as layout
from emofeedback.ui.history import history_view as view
from emofeedback.ui.history.history_owner import owner_of
from emofeedback.ui.history.history_view import moment
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.parts import html, numbers
from emofeedback.ui.session import Visit, Visits, friendly

PAGE = 24
MAX_CHOSEN = 500
MAX_EXPORT = 512 * 2**20
"""Bytes of one export."""
DAY = 24 * 3600
Updates = dict[Any, Any]


class HistoryTab:
    """Builds the tab and answers its events."""

    def __init__(self, visits: Visits, writer: HistoryWriter, restore: Restore, tab: gr.Tab) -> None:
        self.visits, self.writer, self.history, self.restore = visits, writer, writer.history, restore
        self.offset, self.listed = gr.State(0), gr.State([])
        self.key, self.chosen = gr.State(None), gr.State([])
        with gr.Row(elem_classes="page-columns", elem_id="history-columns"):
            with gr.Column(elem_classes=["side", "controls"]):
                self.filters, self.files = layout.filters(), layout.files()
            with gr.Column(elem_classes="middle"):
                restore.panel()
                self.listing = layout.listing()
            with gr.Column(elem_classes="side"):
                self.opened = layout.opened()
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        f, e, r, o = self.filters, self.files, self.listing, self.opened
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        spoken = {**quick, "queue": True}  # the page shows a refusal as a notice only where it comes from the queue
        asked = {*vars(f).values(), e.metadata, self.chosen, self.offset}
        page = [
            f.model,
            e.metadata,
            r.note,
            r.gallery,
            r.newer,
            r.place,
            r.older,
            r.told,
            r.export,
            r.download,
            r.pager,
            r.basket,
            self.offset,
            self.listed,
            self.chosen,
        ]
        run = [
            o.empty,
            o.box,
            o.title,
            o.pin,
            o.choose,
            o.sure,
            o.question,
            o.gallery,
            o.rounds,
            self.key,
        ]
        sliders = (f.valence_low, f.valence_high, f.arousal_low, f.arousal_high)
        changed = [
            f.words.change,
            f.mood.input,
            f.kind.input,
            f.model.input,
            f.pinned.input,
            f.since.change,
            f.until.change,
        ]
        gr.on(
            [tab.select, *changed, *(slider.release for slider in sliders)],
            self.first,
            asked,
            page,
            trigger_mode="always_last",
            **quick,
        )
        r.newer.click(self.newer, asked, page, **quick)
        r.older.click(self.older, asked, page, **quick)
        r.gallery.select(self.open, [self.listed, self.chosen], run, **spoken)
        o.pin.click(self.pin, [self.key, self.chosen], run, **spoken).success(self.same, asked, page, **quick)
        o.choose.click(self.choose, [self.key, self.chosen], [self.chosen, o.choose], **quick).success(
            self.same, asked, page, **quick
        )
        o.delete.click(lambda: gr.update(visible=True), None, [o.sure], **quick)
        o.keep.click(lambda: gr.update(visible=False), None, [o.sure], **quick)
        o.really.click(self.delete, [self.key, self.chosen], [*run, self.chosen], **spoken).success(
            self.same, asked, page, **quick
        )
        r.choose_all.click(self.choose_all, [self.listed, self.chosen], [self.chosen], **quick).success(
            self.same, asked, page, **quick
        )
        r.choose_none.click(lambda: [], None, [self.chosen], **quick).success(self.same, asked, page, **quick)
        r.export.click(
            self.export,
            [self.chosen],
            [r.download],
            show_progress="minimal",
            api_visibility="private",
            concurrency_limit=2,
        )
        self.switched = e.metadata.input(self.set_metadata, [e.metadata], [r.download], **quick)
        self.switched.success(self.shown_again, [self.key, self.chosen], run, **quick)
        offers = self.restore
        offers.follow(o.restore.click(self.offer, [self.key], [offers.offer], **spoken))
        offers.follow(e.drop.upload(self.drop, [e.drop], [offers.offer, e.dropped], **spoken))
        e.drop.clear(lambda: "", None, [e.dropped], **quick)

    def owner(self, request: gr.Request) -> str:
        """Who is there.

        Raises:
            UserError: nobody who can be told apart.
        """
        owner = owner_of(request)
        if owner is None:
            raise UserError(view.NO_OWNER)
        return owner

    @friendly
    def first(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """The newest runs that fit the filters."""
        return self._list(data, 0, request)

    @friendly
    def newer(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """The page before."""
        return self._list(data, data[self.offset] - PAGE, request)

    @friendly
    def older(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """The page after."""
        return self._list(data, data[self.offset] + PAGE, request)

    @friendly
    def same(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """This page again, after something on it has changed."""
        return self._list(data, data[self.offset], request)

    def _list(self, data: dict[Any, Any], offset: int, request: gr.Request) -> Updates:
        r, owner, chosen = self.listing, owner_of(request), data[self.chosen]
        if owner is None:
            return {r.note: gr.update(value=html.notice(view.NO_OWNER), visible=True)}
        self.writer.settle()
        offset = max(0, int(offset))
        page = self._search(owner, data, offset)
        if not page.entries and page.total:
            offset = (page.total - 1) // PAGE * PAGE
            page = self._search(owner, data, offset)
        visit, keys = self.visits.of(request), [entry.id for entry in page.entries]
        items = [(str(self._copy_thumbnail(visit, e)), view.caption(e, e.id in chosen)) for e in page.entries]
        note = self.writer.trouble(owner)
        if not items:
            models = self.history.models(owner)
            note = note or (view.NOTHING_FOUND if models else view.EMPTY)
        return {
            self.filters.model: gr.update(choices=[("every model", ""), *self.history.models(owner)]),
            self.files.metadata: self._switch(owner, data[self.files.metadata]),
            r.note: gr.update(value=html.notice(note) if note else "", visible=note is not None),
            r.gallery: gr.update(value=items, visible=bool(items), selected_index=None),
            r.newer: gr.update(interactive=offset > 0),
            r.older: gr.update(interactive=offset + len(items) < page.total),
            r.place: view.place(page.total, offset, len(items)),
            r.told: view.chosen_words(len(chosen)),
            r.export: gr.update(interactive=bool(chosen)),
            r.download: gr.update(visible=False),
            r.pager: gr.update(visible=page.total > len(items)),
            r.basket: gr.update(visible=bool(items or chosen)),
            self.offset: offset,
            self.listed: keys,
            self.chosen: chosen,
        }

    def _search(self, owner: str, data: dict[Any, Any], offset: int) -> Page:
        f, last = self.filters, moment(data[self.filters.until])
        ends = (f.valence_low, f.valence_high, f.arousal_low, f.arousal_high)
        low, high, calm, excited = (numbers.number(data[end], end.label, -1, 1) for end in ends)
        valence, arousal = (low, high), (calm, excited)
        wanted = Wanted(
            words=data[f.words] or "",
            mood=data[f.mood] or None,
            kind=data[f.kind] or None,
            model=data[f.model] or None,
            pinned=True if data[f.pinned] else None,
            since=moment(data[f.since]),
            until=None if last is None else last + DAY,
            valence=None if valence == (-1, 1) else valence,
            arousal=None if arousal == (-1, 1) else arousal,
        )
        return self.history.search(owner, wanted, limit=PAGE, offset=offset)

    @friendly
    def open(self, listed: list[str], chosen: list[str], event: gr.SelectData, request: gr.Request) -> Updates:
        """A run was chosen from the list."""
        index = event.index if isinstance(event.index, int) else -1
        if not 0 <= index < len(listed):
            raise UserError("Choose a run from the list.")
        return self._show(listed[index], chosen, request)

    def _show(self, key: str, chosen: Sequence[str], request: gr.Request) -> Updates:
        owner, o = self.owner(request), self.opened
        saved, visit = self.history.get(key, owner), self.visits.of(request)
        plain, pictures = not self.history.metadata(owner), saved.pictures()
        told = telling_names(saved.record)
        names = [(item["image"], view.picture_caption(item)) for item in pictures]
        large = [item["image"] for item in pictures if item.get("chosen")]  # history itself keeps what was drawn
        if "cells" in saved.record:
            names.insert(0, (BOARD, "the whole sheet"))
        return {
            o.empty: gr.update(visible=False),
            o.box: gr.update(visible=True),
            o.title: view.title(saved),
            o.pin: "Unpin" if saved.entry.pinned else "Pin",
            o.choose: "Deselect" if key in chosen else "Select",
            o.sure: gr.update(visible=False),
            o.question: view.delete_question(saved.entry),
            o.gallery: gr.update(
                value=[
                    (
                        str(self._copy_for(visit, saved.folder / name, key, plain, told.get(name), name in large)),
                        words,
                    )
                    for name, words in names
                ],
                selected_index=None,
                columns=2 if len(names) <= 12 else 3,
            ),
            o.rounds: view.rounds(saved.record),
            self.key: key,
        }

    @friendly
    def shown_again(self, key: str | None, chosen: list[str], request: gr.Request) -> Updates:
        """The open run's pictures as the switch says now."""
        return self._show(key, chosen, request) if key else {self.key: gr.skip()}

    def after_switch(self, function: Callable[..., Any], outputs: Sequence[Any]) -> None:
        """Call a handler each time that the switch for settings inside PNGs was pressed."""
        self.switched.success(
            function, None, list(outputs), queue=False, show_progress="hidden", api_visibility="private"
        )

    def _closed(self) -> Updates:
        o = self.opened
        return {o.empty: gr.update(visible=True), o.box: gr.update(visible=False), o.gallery: [], self.key: None}

    @friendly
    def pin(self, key: str | None, chosen: list[str], request: gr.Request) -> Updates:
        """Pin the open run, or unpin it."""
        owner = self.owner(request)
        entry = self.history.get(key or "", owner).entry
        self.history.pin(entry.id, owner, not entry.pinned)
        return self._show(entry.id, chosen, request)

    @friendly
    def choose(self, key: str | None, chosen: list[str], request: gr.Request) -> tuple[list[str], str]:
        """Put the open run into the selection, or take it out."""
        entry = self.history.get(key or "", self.owner(request)).entry
        if entry.id in chosen:
            return [item for item in chosen if item != entry.id], "Select"
        return _bounded([*chosen, entry.id]), "Deselect"

    def choose_all(self, listed: list[str], chosen: list[str]) -> list[str]:
        """Put all runs of this page into the selection."""
        return _bounded(list(dict.fromkeys([*chosen, *listed])))

    @friendly
    def delete(self, key: str | None, chosen: list[str], request: gr.Request) -> Updates:
        """Delete the open run; the page has asked before."""
        self.history.delete(key or "", self.owner(request))
        return {**self._closed(), self.chosen: [item for item in chosen if item != key]}

    @friendly
    def offer(self, key: str | None, request: gr.Request) -> dict[str, Any]:
        """The open run's settings, for `Restore` to ask about."""
        return self.history.restore(key or "", self.owner(request)).known()

    @friendly
    def drop(self, file: str | None) -> tuple[Any, str]:
        """A dropped PNG's settings, for `Restore` to ask about."""
        if file is None:
            return None, ""
        found = read_settings(Path(file), name="The dropped file").known()
        says = "; ".join(f"{html.text(name)} {html.text(value)}" for name, value in found.pop("others", ()))  # type: ignore[attr-defined]
        model = f"Drawn by {html.text(found['model'])}. " if found.get("model") else ""
        return found, f'<p class="quiet">{model}{f"It also says: {says[:600]}." if says else ""}</p>'

    def _switch(self, owner: str, shown: bool) -> Any:
        """The switch as it is kept; left alone where the page shows that, so that no click meanwhile is undone."""
        kept = self.history.metadata(owner)
        return gr.skip() if bool(shown) == kept else kept

    @friendly
    def set_metadata(self, wanted: bool, request: gr.Request) -> Any:
        """The switch for settings inside saved PNGs."""
        self.history.set_metadata(self.owner(request), bool(wanted))
        return gr.update(visible=False)

    @friendly
    def export(self, chosen: list[str], request: gr.Request) -> Any:
        """The selection as a zip file to download."""
        owner, visit = self.owner(request), self.visits.of(request)
        size = sum(self.history.get(key, owner).entry.bytes for key in chosen)
        if size > MAX_EXPORT:
            raise UserError(f"An export takes {MAX_EXPORT // 2**20} MB at most; select fewer runs.")
        folder = visit.folder / "export"
        shutil.rmtree(folder, ignore_errors=True)
        count = f"{len(chosen)}-{'run' if len(chosen) == 1 else 'runs'}"
        name = f"emofeedback-{count}-{time.strftime('%Y%m%d-%H%M%S')}.zip"
        path = self.history.export(chosen, owner, folder / name, metadata=self.history.metadata(owner))
        label = f"Download {count.replace('-', ' ')} ({path.stat().st_size / 2**20:.1f} MB)"
        return gr.update(value=str(path), label=label, visible=True)

    def _copy_thumbnail(self, visit: Visit, entry: Entry) -> Path:
        return self._copy_for(visit, self.history.thumbnail(entry), entry.id, plain=False)

    @staticmethod
    def _copy_for(
        visit: Visit, source: Path, key: str, plain: bool, name: str | None = None, large: bool = False
    ) -> Path:
        """A copy of a history file in the visitor's folder, enlarged and without metadata where that is wanted.

        An upscaler that is not quick would keep others from the models; it does nothing here.

        Args:
            name: of the copy; None = as the file.
        """
        upscaler = visit.large.upscaler if large else None
        grown = f"-x{upscaler.scale}" if upscaler is not None and upscaler.quick else ""
        target = visit.folder / "history" / f"{key[:8]}{'-plain' if plain else ''}{grown}" / (name or source.name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            content = source.read_bytes()
            content = visit.large.of_png(content) if grown else content
            write_whole(target, strip_metadata(content, source.name) if plain else content)
        return target


def _bounded(keys: list[str]) -> list[str]:
    if len(keys) > MAX_CHOSEN:
        raise gr.Error(f"A selection holds {MAX_CHOSEN} runs at most.", title="Please check", print_exception=False)
    return keys
