"""What can be drawn and exported, by name: known before what draws and writes it is loaded."""

from enum import StrEnum


class PlotKind(StrEnum):
    """What a plot shows."""

    MEMORY = "memory"
    LOADS = "loads"
    ORDER = "order"
    TIMELINE = "timeline"


class PlotFormat(StrEnum):
    """What a plot can be written as, by the suffix of its file."""

    SVG = "svg"
    PNG = "png"


class TimelineFormat(StrEnum):
    """What a timeline can be written as."""

    PERFETTO = "perfetto"
    CSV = "csv"
