"""The keys of the live screen that ask something of the run: stop, pause, save, go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual import on, work
from textual.message import Message

from core.errors import TunedeckError
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.follow import Update
from core.jobs.trust import Ask, NotAgreed
from tui.train import words as train_words
from tui.train.desk import TrainDesk
from tui.widgets.agree import Agree

if TYPE_CHECKING:
    from core.runs.resume import Plan


class TrainRequests(TrainDesk):
    """Puts requests to the run, after a question where they end something."""

    class Asked(Message):
        """A request was put to the run, or could not be; `said` tells."""

        def __init__(self, said: str) -> None:
            super().__init__()
            self.said = said

    def __init__(self) -> None:
        super().__init__()
        self._asking: Literal["", "stop", "now", "release", "resume"] = ""
        self._pausing = False
        self._plan: Plan | None = None
        self._said = ""

    def _show_words(self) -> None:
        """Draw what is said of the run, the question or the answer to a key among it."""
        raise NotImplementedError

    def _taken_in(self, update: Update) -> None:
        """A request that the run has answered needs no word on its being asked; the events say the rest."""
        if any(event.get("answer") in (requests.DONE, requests.REFUSED) for event in update.events):
            self._said = ""

    def _forget_questions(self) -> None:
        self._asking, self._pausing, self._plan, self._said = "", False, None, ""

    def _allowed_requests(self) -> dict[str, bool]:
        """Whether each key would do something now."""
        update = self.live.update
        if update is None:
            keys = ("answer", "ask_stop", "end_now", "save", "pause", "go_on", "release", "ask_resume")
            return dict.fromkeys(keys, False)
        active = update.state in train_words.ACTIVE and not self._asking
        return {
            "answer": bool(self._asking),
            "ask_stop": active and update.state != "stopping",
            "end_now": (active and update.state == "stopping") or (self._asking == "stop" and update.state != "queued"),
            "save": active and update.state not in ("stopping", "queued") and not update.status.stage,
            "pause": update.state == "running" and not self._asking,
            "release": not self._asking
            and not update.status.stage
            and (update.state == "paused" or (self._pausing and update.state == "running")),
            "go_on": update.state == "paused" and not self._asking,
            "ask_resume": update.state in train_words.RESUMABLE and self.has_checkpoints and not self._asking,
        }

    def action_ask_stop(self) -> None:
        """Ask before stopping."""
        self._asking, self._plan = "stop", None
        self._answered("")

    def action_end_now(self) -> None:
        """End without saving: one of the answers to whether to stop; asked where the run is stopping by now."""
        if self._asking == "stop":
            self._asking = ""
            self._request(requests.STOP_NOW, "Asked to end at once.")
            self._answered("Asking the run to end at once.")
            return
        self._asking, self._plan = "now", None
        self._answered("")

    def action_release(self) -> None:
        """Ask before a run that is to hold still, or does, saves and ends instead."""
        self._asking, self._plan = "release", None
        self._answered("")

    def action_answer(self, yes: bool) -> None:
        """The answer to the question whether to stop, or to go on."""
        asked, self._asking = self._asking, ""
        plan, self._plan = self._plan, None
        if yes and plan is not None:
            self._start_again(plan)
        elif yes and asked == "now":
            self._request(requests.STOP_NOW, "Asked to end at once.")
        elif yes and asked == "release":
            self._request(requests.STOP, "Asked to save and end: its memory will be free, and r goes on.")
        elif yes:
            self._request(requests.STOP, "Asked to stop and save.")
        self._answered("" if not yes else "Asking the run to stop." if plan is None else "Starting it again.")

    def action_pause(self) -> None:
        """Hold still."""
        self._pausing = True
        self._request(requests.PAUSE, "Asked to pause at the next step. f: save and end, so that its memory is free.")

    def action_go_on(self) -> None:
        """Go on after that."""
        self._pausing = False
        self._request(requests.RESUME, "Asked to go on.")

    def action_save(self) -> None:
        """Ask for a checkpoint."""
        self._request(requests.SAVE, "Asked for a checkpoint.")

    @work(thread=True, group="request")
    def action_ask_resume(self) -> None:
        """Find out from where the run can go on, and ask."""
        from core.runs.resume import plan_resume  # reads recipes: not before somebody wants it

        folder, plan, said = self._folder, None, ""
        if folder is None:
            return
        try:
            plan = plan_resume(JobFolder(folder))
        except TunedeckError as error:
            said = str(error)
        self.from_thread(self._planned, folder, plan, said)

    def _planned(self, folder: Path, plan: Plan | None, said: str) -> None:
        if folder == self._folder:
            self._asking, self._plan = "" if plan is None else "resume", plan
            self._answered(said)

    @work(thread=True, group="request")
    def _start_again(self, plan: Plan, agreed: Sequence[Ask] = ()) -> None:
        from core.runs.resume import resume_run

        try:
            for ask in agreed:
                ask.agree()
            resume_run(JobFolder(plan.checkpoint.path.parents[1]), plan)
        except NotAgreed as error:
            self.post_message(self.Asked(str(error)))
            self.from_thread(self._ask_to_agree, plan, error.asks)
        except TunedeckError as error:
            self.post_message(self.Asked(str(error)))

    def _ask_to_agree(self, plan: Plan, asks: Sequence[Ask]) -> None:
        """Ask for what starting it again needs the user's yes to."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._start_again(plan, asks)

        if self.is_current:
            self.app.push_screen(Agree(asks), answered)

    @work(thread=True, group="request")
    def _request(self, name: str, said: str) -> None:
        if self._folder is None:
            return
        try:
            requests.ask(JobFolder(self._folder), name)
        except TunedeckError as error:
            said = str(error)
        self.post_message(self.Asked(said))

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        self._answered(event.said)

    def _answered(self, said: str) -> None:
        self._said = said
        self._show_words()
        self.refresh_bindings()
