"""The errors that end the process, each with the exit status that tells systemd whether to start it again."""

from __future__ import annotations

# sysexits(3). The unit's RestartPreventExitStatus= names all but EXIT_RESTART: a restart would not help there.
EXIT_RESTART = 1
EXIT_USAGE = 64
EXIT_FENCED_OFF = 73
EXIT_STORE = 74
EXIT_CONFIGURATION = 78


class Fatal(Exception):
    """The process must end. `sentence` tells a person why and what to do, `code` is the exit status."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
