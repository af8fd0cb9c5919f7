"""Write what was decided: the only writes of the pipeline's transaction."""

from __future__ import annotations

from intake.record.apply import apply
from intake.record.failures import LONGEST_PAUSE, note_failure

__all__ = ["LONGEST_PAUSE", "apply", "note_failure"]
