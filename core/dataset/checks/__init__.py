"""The checks: each finds one reason to look at a row, from its text alone."""

from core.dataset.checks.base import Check, Context, Flag, FlagText, SetProperty, Severity
from core.dataset.checks.conflicts import ConflictingAnswers
from core.dataset.checks.cut_off import CutOff
from core.dataset.checks.duplicates import ExactDuplicate, NormalizedDuplicate
from core.dataset.checks.labels import LabelImbalance
from core.dataset.checks.language import LanguageUnlike
from core.dataset.checks.lengths import LengthOutlier
from core.dataset.checks.line_ends import LineEnds
from core.dataset.checks.loops import RepetitionLoop
from core.dataset.checks.media import Media
from core.dataset.checks.mojibake import Mojibake
from core.dataset.checks.near import LeakNear, NearDuplicate
from core.dataset.checks.personal import PersonalData
from core.dataset.checks.refusals import Refusal
from core.dataset.checks.rendered import RenderedChat
from core.dataset.checks.rows import LeakExact, NonstandardJson, UnreadableRow
from core.dataset.checks.same_answers import SameAnswers
from core.dataset.checks.secrets import Secret
from core.dataset.checks.synthetic import Synthetic
from core.dataset.checks.system_prompt import SystemPromptDiffers
from core.dataset.checks.template import SameTemplate
from core.dataset.checks.texts import AnswerEqualsPrompt, ControlCharacters, Placeholder
from core.dataset.checks.thinking import ThinkBlock
from core.dataset.checks.tokens import TEXTS as _TOKEN_TEXTS
from core.dataset.checks.turns import EmptyAnswer, LossWeight, MissingTurn, RoleOrder

CHECKS: tuple[type[Check], ...] = (
    UnreadableRow,
    LeakExact,
    LeakNear,
    EmptyAnswer,
    RoleOrder,
    MissingTurn,
    SameAnswers,
    Media,
    ExactDuplicate,
    NormalizedDuplicate,
    NearDuplicate,
    Secret,
    RenderedChat,
    ConflictingAnswers,
    LossWeight,
    AnswerEqualsPrompt,
    CutOff,
    ThinkBlock,
    RepetitionLoop,
    Placeholder,
    PersonalData,
    Mojibake,
    ControlCharacters,
    Refusal,
    NonstandardJson,
    LineEnds,
    SameTemplate,
    LanguageUnlike,
    SystemPromptDiffers,
    LabelImbalance,
    LengthOutlier,
    Synthetic,
)
"""Every check, the most severe first: flags are listed in this order, and the list shows a row's first one."""

FLAG_TEXTS: tuple[FlagText, ...] = (*(check.text() for check in CHECKS), *_TOKEN_TEXTS)
"""What is said about every flag, those from token counts included."""

TITLES = {text.name: text.title for text in FLAG_TEXTS}
"""The title of every flag by its name."""

__all__ = ["CHECKS", "FLAG_TEXTS", "TITLES", "Check", "Context", "Flag", "FlagText", "SetProperty", "Severity"]
