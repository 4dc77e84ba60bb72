"""The keys of people's reports. Reads nothing, decides nothing."""

from dataclasses import dataclass, field

from archsyncd.config.keys import key
from archsyncd.config.kinds import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """What people are expected to read."""

    expect_daily: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """Whether somebody, or a timer of yours, runs `archsyncctl report daily` each day: when none was told for 36 hours
            the verdict is degraded with the code report_missed, so that a report that stopped coming is not taken for a quiet
            day.""",
        ),
    )
