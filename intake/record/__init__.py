"""Write what was decided: the only writes of the pipeline's transaction."""

from __future__ import annotations

from intake.record.apply import apply
from intake.record.storable import clean

__all__ = ["apply", "clean"]
