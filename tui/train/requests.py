"""The keys of the live screen that ask something of the run: stop, pause, save, resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message

from core.errors import TunedeckError
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.follow import Update
from core.jobs.trust import ConsentRequest, NotAgreed
from tui.actions import Command
from tui.screens.pane import Pane
from tui.train import words as train_words
from tui.train.run import RunModel
from tui.widgets.agree import Agree
from tui.widgets.text_lines import TextLines

if TYPE_CHECKING:
    from core.runs.resume import ResumePlan


class RequestsPane(Pane):
    """Shows the state of the run and sends it requests; asks first where a request ends something."""

    NAME = "requests"
    COMMANDS = (
        Command("train.stop", "s", "ask_stop", "stop", "Stop the run. Asks whether to save first.", 2),
        Command(
            "train.confirm",
            "y",
            "answer(True)",
            "yes",
            "Yes.",
            1,
            decides=True,
            answers=True,
        ),
        Command(
            "train.decline",
            "n,escape",
            "answer(False)",
            "no",
            "No; change nothing.",
            1,
            answers=True,
        ),
        Command(
            "train.confirm_stop_now",
            "x",
            "end_now",
            "stop now",
            "Stop the run now without saving.",
            1,
            decides=True,
            answers=True,
        ),
        Command(
            "train.stop_now",
            "s",
            "ask_end_now",
            "stop now",
            "While the run is stopping: stop it now without saving. Asks first.",
            1,
        ),
        Command(
            "train.resume", "r", "ask_resume", "resume", "Resume from the last checkpoint, or step 0. Asks first.", 2
        ),
        Command("train.pause", "p", "pause", "pause", "Pause the run at the next step.", 3, decides=True),
        Command("train.resume_paused", "p", "resume_paused", "resume", "Resume the paused run.", 1, decides=True),
        Command(
            "train.free_memory",
            "F",
            "release",
            "free memory",
            "While paused: save and stop to free its memory; r resumes it.",
            2,
        ),
        Command("train.save_checkpoint", "c", "save", "checkpoint", "Save a checkpoint now and keep training.", 3),
    )

    class Asked(Message):
        """A request was sent to the run, or could not be; `said` says which."""

        def __init__(self, said: str) -> None:
            super().__init__()
            self.said = said

    class Planned(Message):
        """Where a run can resume from is known; or `said` says why it cannot."""

        def __init__(self, folder: Path, plan: ResumePlan | None, said: str) -> None:
            super().__init__()
            self.folder = folder
            self.plan = plan
            self.said = said

    class ConsentNeeded(Message):
        """Resuming a run needs the user's consent to something first."""

        def __init__(self, plan: ResumePlan, asks: Sequence[ConsentRequest]) -> None:
            super().__init__()
            self.plan = plan
            self.asks = asks

    def __init__(self, run: RunModel) -> None:
        """Make the pane.

        Args:
            run: what is known of the run.
        """
        super().__init__()
        self.asking: Literal["", "stop", "now", "release", "resume"] = ""
        """The question that stands there."""
        self._run = run
        self._state = TextLines(id="state")
        self._pausing = False
        self._plan: ResumePlan | None = None
        self._said = ""
        self.brief = False
        """Whether the message of the status stands elsewhere on the screen."""

    def compose(self) -> ComposeResult:
        """The state, or a question to the user."""
        yield self._state

    # -- the state ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another run is shown."""
        self.asking, self._pausing, self._plan, self._said = "", False, None, ""

    def take(self, update: Update) -> None:
        """A request that the run has answered needs no word on its being asked; the events say the rest."""
        if any(event.get("answer") in (requests.DONE, requests.REFUSED) for event in update.events):
            self._said = ""

    def state_changed(self, *, first: bool) -> None:
        """The run's state is another one: no question stands, and what was answered has come about or is overtaken.

        Args:
            first: whether it is the first that was read.
        """
        self.asking = ""
        if not first:
            self._pausing, self._said = False, ""

    def say(self, words: str) -> None:
        """Say what came of a key; "" says nothing any more."""
        self._said = words
        self.draw()
        self.screen.refresh_bindings()

    def draw(self) -> None:
        """The state; a question to the user or the answer to a key stands before it or behind it."""
        run, workspace = self._run, self.session.workspace
        lines = train_words.state_lines(run.shown, run.folder or workspace, workspace, brief=self.brief)
        if self.asking:
            update = run.live.update
            comparing = update is not None and update.status.stage > 0  # training is done, and a later stage runs
            queued = update is not None and update.state == "queued"
            lines = train_words.question(self.asking, self._plan, comparing=comparing, queued=queued)
        elif run.sampled:
            lines = [[(f"preview; {100 * run.read:.0f}% of the run is read so far", "muted")], *lines[:1]]
        elif self._said:
            lines = [*lines, [(self._said, "muted")]]
        self._state.show(lines)

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key would do something now."""
        update = self._run.live.update
        if update is None:
            return False
        if self.asking:
            return action == "answer" or (action == "end_now" and self.asking == "stop" and update.state != "queued")
        state, training = update.state, not update.status.stage
        return {
            "ask_stop": state in train_words.ACTIVE and state != "stopping",
            "ask_end_now": state == "stopping",
            "save": state in train_words.ACTIVE and state not in ("stopping", "queued") and training,
            "pause": state == "running",
            "release": training and (state == "paused" or (self._pausing and state == "running")),
            "resume_paused": state == "paused",
            "ask_resume": state in train_words.RESUMABLE and self._run.resumable,
        }.get(action, False)

    def action_ask_stop(self) -> None:
        """Ask before stopping."""
        self._ask("stop")

    def action_end_now(self) -> None:
        """Stop without saving: one of the answers to whether to stop."""
        self.asking = ""
        self._request(requests.STOP_NOW, "Asked the run to stop now.")
        self.say("Asking the run to stop now.")

    def action_ask_end_now(self) -> None:
        """Ask whether a run that is stopping should stop without saving."""
        self._ask("now")

    def action_release(self) -> None:
        """Ask before a run that is paused, or about to be, saves and stops instead."""
        self._ask("release")

    def _is_read_only(self) -> bool:
        """Whether this user can only look at the run; that is then said at once, and nothing is asked."""
        update = self._run.live.update
        if update is None or not update.read_only:
            return False
        self.say(f"This run is read-only for you: {update.read_only}.")
        return True

    def _ask(self, question: Literal["stop", "now", "release"]) -> None:
        if self._is_read_only():
            return
        self.asking, self._plan = question, None
        self.say("")

    def action_answer(self, yes: bool) -> None:
        """The answer to the question whether to stop, or to resume."""
        asked, self.asking = self.asking, ""
        plan, self._plan = self._plan, None
        if not asked:
            return  # answered by another key in the meantime
        if yes and plan is not None:
            self._start_again(plan)
        elif yes and asked == "now":
            self._request(requests.STOP_NOW, "Asked the run to stop now.")
        elif yes and asked == "release":
            self._request(requests.STOP, "Asked the run to save and stop. Its memory will be free; r resumes it.")
        elif yes:
            self._request(requests.STOP, "Asked the run to save and stop.")
        self.say("" if not yes else "Asking the run to stop." if plan is None else "Resuming the run.")

    def action_pause(self) -> None:
        """Pause."""
        if self._is_read_only():
            return
        self._pausing = True
        self._request(
            requests.PAUSE,
            "Asked the run to pause at the next step. Press F to save and stop it instead, which frees its memory.",
        )

    def action_resume_paused(self) -> None:
        """Resume after a pause."""
        if self._is_read_only():
            return
        self._pausing = False
        self._request(requests.RESUME, "Asked the run to resume.")

    def action_save(self) -> None:
        """Ask for a checkpoint."""
        if self._is_read_only():
            return
        self._request(requests.SAVE, "Asked the run to save a checkpoint.")

    def action_ask_resume(self) -> None:
        """Find out where the run can resume from, and ask."""
        if self._run.folder is not None and not self._is_read_only():
            self._make_plan(self._run.folder)

    @work(thread=True, group="request")
    def _make_plan(self, folder: Path) -> None:
        from core.runs.resume import plan_resume  # reads recipes: not before somebody wants it

        try:
            self.post_message(self.Planned(folder, plan_resume(JobFolder(folder)), ""))
        except TunedeckError as error:
            self.post_message(self.Planned(folder, None, str(error)))

    @on(Planned)
    def _planned(self, event: Planned) -> None:
        if event.folder == self._run.folder:
            self.asking, self._plan = "" if event.plan is None else "resume", event.plan
            self.say(event.said)

    @work(thread=True, group="request")
    def _start_again(self, plan: ResumePlan, agreed: Sequence[ConsentRequest] = ()) -> None:
        from core.runs.resume import resume_run

        try:
            for ask in agreed:
                ask.agree()
            resume_run(plan.folder, plan)
        except NotAgreed as error:
            self.post_message(self.Asked(str(error)))
            self.post_message(self.ConsentNeeded(plan, error.asks))
        except TunedeckError as error:
            self.post_message(self.Asked(str(error)))

    @on(ConsentNeeded)
    def _ask_for_consent(self, event: ConsentNeeded) -> None:
        """Ask for the consent that resuming it needs."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._start_again(event.plan, event.asks)

        if self.screen.is_current:
            self.app.push_screen(Agree(event.asks), answered)

    def _request(self, name: str, said: str) -> None:
        if self._run.folder is not None:
            self._put(self._run.folder, name, said)

    @work(thread=True, group="request")
    def _put(self, folder: Path, name: str, said: str) -> None:
        try:
            requests.ask(JobFolder(folder), name)
        except TunedeckError as error:
            said = str(error)
        self.post_message(self.Asked(said))

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        self.say(event.said)
