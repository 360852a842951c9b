"""How a run goes, in words, with the setting to change: rules over its metrics, in bounded memory, without torch."""

from core.verdict.finding import Advice, Verdict, VerdictKind
from core.verdict.judge import VerdictJudge

__all__ = ["Advice", "Verdict", "VerdictJudge", "VerdictKind"]
