"""What the tables of a scenario file have in common."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, Field(ge=1)]


class Table(BaseModel):
    """A table of a scenario file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True)


Name = Annotated[str, Field(pattern=r"^[\w .@-]{1,64}$")]
GENERAL: Final = "general"
